/* Runs shell commands for a test. It is process 1 of the guest and is told what to do over a serial line.
 *
 * The test writes `run <id> <length>\n` and that many bytes of a command. The agent writes `ready\n` once, then for each
 * command any number of `out <id> <length>\n` with that many bytes of what it printed (both streams, in order), and at
 * last `end <id> <status>\n`; the status of a command that a signal ended is 128 and the signal. Commands run side by
 * side. What a process in the background prints after its command ended is lost.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define JOBS 64
#define LONGEST_COMMAND 65536

struct job {
  int id;
  int output; /* -1: the place is free */
  pid_t process;
};

static struct job jobs[JOBS];
static int line;
static char input[LONGEST_COMMAND + 64];
static size_t filled;

static void die(const char *what) {
  perror(what);
  sleep(1);
  exit(1);
}

static void put(const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t written = write(line, bytes, length);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) die("agent: write");
    bytes += written;
    length -= (size_t)written;
  }
}

static void put_end(int id, int status) {
  char text[64];
  put(text, (size_t)snprintf(text, sizeof text, "end %d %d\n", id, status));
}

/* Passes on what a command printed until it would have to wait. Gives 0 when nothing more can come. */
static int pass_output(const struct job *job) {
  static char bytes[16384];
  for (;;) {
    ssize_t length = read(job->output, bytes, sizeof bytes);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return errno == EAGAIN;
    if (length == 0) return 0;
    char header[64];
    put(header, (size_t)snprintf(header, sizeof header, "out %d %zd\n", job->id, length));
    put(bytes, (size_t)length);
    if ((size_t)length < sizeof bytes) return 1;
  }
}

static void start(int id, const char *command) {
  struct job *job = NULL;
  for (int index = 0; index < JOBS; index++)
    if (jobs[index].output < 0) job = &jobs[index];
  int ends[2];
  if (job == NULL || pipe2(ends, O_CLOEXEC) < 0) {
    put_end(id, 126);
    return;
  }
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  pid_t process = fork();
  if (process < 0) die("agent: fork");
  if (process == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, 0);
    dup2(ends[1], 1);
    dup2(ends[1], 2);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
  }
  close(ends[1]);
  *job = (struct job){.id = id, .output = ends[0], .process = process};
}

/* Collects processes that ended; those that no command started are orphans of one. */
static void reap(void) {
  int status;
  pid_t process;
  while ((process = waitpid(-1, &status, WNOHANG)) > 0) {
    for (int index = 0; index < JOBS; index++) {
      struct job *job = &jobs[index];
      if (job->output < 0 || job->process != process) continue;
      pass_output(job);
      close(job->output);
      job->output = -1;
      put_end(job->id, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
  }
}

/* Starts every command that is whole in `input`. */
static void take_commands(void) {
  for (;;) {
    char *head_end = memchr(input, '\n', filled);
    if (head_end == NULL) {
      if (filled > 64) die("agent: no command");
      return;
    }
    int id;
    size_t length;
    *head_end = 0;
    if (sscanf(input, "run %d %zu", &id, &length) != 2 || length > LONGEST_COMMAND) die("agent: no command");
    size_t head = (size_t)(head_end + 1 - input);
    if (filled < head + length) {
      *head_end = '\n';
      return;
    }
    char *command = strndup(input + head, length);
    start(id, command);
    free(command);
    filled -= head + length;
    memmove(input, input + head + length, filled);
  }
}

int main(int count, char **arguments) {
  line = open(count > 1 ? arguments[1] : "/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (line < 0) die("agent: open");
  struct termios mode;
  tcgetattr(line, &mode);
  cfmakeraw(&mode);
  cfsetspeed(&mode, B115200);
  tcsetattr(line, TCSANOW, &mode);
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, NULL);
  int ended = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  for (int index = 0; index < JOBS; index++) jobs[index].output = -1;
  put("ready\n", 6);
  for (;;) {
    struct pollfd waits[JOBS + 2] = {{.fd = line, .events = POLLIN}, {.fd = ended, .events = POLLIN}};
    for (int index = 0; index < JOBS; index++)
      waits[index + 2] = (struct pollfd){.fd = jobs[index].output, .events = POLLIN};
    if (poll(waits, JOBS + 2, -1) < 0 && errno != EINTR) die("agent: poll");
    for (int index = 0; index < JOBS; index++) {
      /* A command that closed its output is still waited for. */
      if (jobs[index].output >= 0 && waits[index + 2].revents != 0 && !pass_output(&jobs[index])) usleep(1000);
    }
    if (waits[1].revents != 0) {
      struct signalfd_siginfo information;
      while (read(ended, &information, sizeof information) > 0) continue;
      reap();
    }
    if (waits[0].revents != 0) {
      ssize_t length = read(line, input + filled, sizeof input - filled);
      if (length <= 0 && errno != EINTR) die("agent: read");
      if (length > 0) filled += (size_t)length;
      take_commands();
    }
  }
}
