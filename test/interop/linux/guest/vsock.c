/* Sockets between guest and host: `vsock echo PORT COUNT` answers that many connections with what they send, one after the other;
 * `vsock call CID PORT BYTES` sends so many bytes and checks that they come back.
 */
#include <linux/vm_sockets.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const char *what) {
  perror(what);
  return 1;
}

static uint8_t byte_at(uint64_t place) { return (uint8_t)((place * 0x9e3779b97f4a7c15u) >> 40); }

static int echo(unsigned port, int count) {
  struct sockaddr_vm own = {.svm_family = AF_VSOCK, .svm_port = port, .svm_cid = VMADDR_CID_ANY};
  int listener = socket(AF_VSOCK, SOCK_STREAM, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&own, sizeof own) < 0 || listen(listener, 8) < 0) return fail("listen");
  puts("listening");
  fflush(stdout);
  static char bytes[65536];
  while (count-- > 0) {
    int line = accept(listener, NULL, NULL);
    if (line < 0) return fail("accept");
    ssize_t length;
    while ((length = read(line, bytes, sizeof bytes)) > 0)
      for (ssize_t done = 0, part; done < length; done += part)
        if ((part = write(line, bytes + done, (size_t)(length - done))) <= 0) return fail("write");
    if (length < 0) return fail("read");
    close(line);
  }
  return 0;
}

static int call(unsigned cid, unsigned port, uint64_t bytes) {
  struct sockaddr_vm peer = {.svm_family = AF_VSOCK, .svm_port = port, .svm_cid = cid};
  int line = socket(AF_VSOCK, SOCK_STREAM, 0);
  if (line < 0 || connect(line, (struct sockaddr *)&peer, sizeof peer) < 0) return fail("connect");
  static uint8_t buffer[65536];
  pid_t sender = fork();
  if (sender == 0) {
    for (uint64_t done = 0; done < bytes;) {
      size_t length = bytes - done < sizeof buffer ? bytes - done : sizeof buffer;
      for (size_t index = 0; index < length; index++) buffer[index] = byte_at(done + index);
      ssize_t count = write(line, buffer, length);
      if (count <= 0) _exit(fail("write"));
      done += (uint64_t)count;
    }
    shutdown(line, SHUT_WR);
    _exit(0);
  }
  uint64_t got = 0;
  ssize_t count;
  while ((count = read(line, buffer, sizeof buffer)) > 0)
    for (ssize_t index = 0; index < count; index++, got++)
      if (buffer[index] != byte_at(got)) {
        printf("byte %llu is wrong\n", (unsigned long long)got);
        return 1;
      }
  if (count < 0) return fail("read");
  int status;
  waitpid(sender, &status, 0);
  printf("%llu bytes came back\n", (unsigned long long)got);
  return got == bytes && status == 0 ? 0 : 1;
}

int main(int count, char **arguments) {
  if (count == 4 && strcmp(arguments[1], "echo") == 0) return echo((unsigned)atoi(arguments[2]), atoi(arguments[3]));
  if (count == 5 && strcmp(arguments[1], "call") == 0)
    return call((unsigned)atoi(arguments[2]), (unsigned)atoi(arguments[3]), strtoull(arguments[4], NULL, 0));
  return 2;
}
