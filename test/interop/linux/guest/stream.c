/* Sends numbers over TCP and checks them: `stream send ADDRESS PORT BYTES`, `stream receive PORT BYTES`.
 *
 * The receiver says how many seconds it took from the first byte to the last. Every eight bytes differ from all others, so that
 * what is lost, doubled or in the wrong place is noticed.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 65536

static int fail(const char *what) {
  perror(what);
  return 1;
}

static void fill(uint64_t *words, uint64_t start) {
  for (uint64_t index = 0; index < CHUNK / 8; index++) words[index] = (start + index) * 0x9e3779b97f4a7c15u;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int send_all(const char *address, int port, uint64_t bytes) {
  static uint64_t words[CHUNK / 8];
  struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  inet_pton(AF_INET, address, &peer.sin_addr);
  int line = socket(AF_INET, SOCK_STREAM, 0);
  int connected = -1;
  /* The receiver may not listen yet. */
  for (int tries = 0; tries < 100 && connected < 0; tries++) {
    connected = connect(line, (struct sockaddr *)&peer, sizeof peer);
    if (connected < 0) usleep(100000);
  }
  if (connected < 0) return fail("connect");
  for (uint64_t done = 0; done < bytes; done += CHUNK) {
    fill(words, done / 8);
    size_t length = bytes - done < CHUNK ? bytes - done : CHUNK;
    for (size_t sent = 0; sent < length;) {
      ssize_t count = write(line, (char *)words + sent, length - sent);
      if (count <= 0) return fail("write");
      sent += (size_t)count;
    }
  }
  shutdown(line, SHUT_WR);
  char last;
  return read(line, &last, 1) == 0 ? 0 : fail("the receiver is not content");
}

static int receive_all(int port, uint64_t bytes) {
  static uint64_t words[CHUNK / 8], expected[CHUNK / 8];
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener, (struct sockaddr *)&own, sizeof own) < 0 || listen(listener, 1) < 0) return fail("listen");
  int line = accept(listener, NULL, NULL);
  if (line < 0) return fail("accept");
  double start = now();
  uint64_t done = 0;
  for (;;) {
    size_t filled = 0;
    ssize_t count = 1;
    while (filled < CHUNK && (count = read(line, (char *)words + filled, CHUNK - filled)) > 0) filled += (size_t)count;
    if (count < 0) return fail("read");
    fill(expected, done / 8);
    if (memcmp(words, expected, filled) != 0) {
      printf("wrong bytes from %llu on\n", (unsigned long long)done);
      return 1;
    }
    done += filled;
    if (filled < CHUNK) break;
  }
  printf("%llu bytes in %.3f s\n", (unsigned long long)done, now() - start);
  return done == bytes ? 0 : 1;
}

int main(int count, char **arguments) {
  if (count == 5 && strcmp(arguments[1], "send") == 0)
    return send_all(arguments[2], atoi(arguments[3]), strtoull(arguments[4], NULL, 0));
  if (count == 4 && strcmp(arguments[1], "receive") == 0) return receive_all(atoi(arguments[2]), strtoull(arguments[3], NULL, 0));
  return 2;
}
