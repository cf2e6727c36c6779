/* Reads blocks of a disk into memory that no processor touches between the device and the check:
 *
 *     held-reads DEVICE FIRST COUNT GENERATION FILE
 *
 * Until FILE.check is there a second process changes other memory all the time, so that a guest that is to move is not done.
 *
 * Fills the memory with something else, makes FILE.filled, waits for FILE.read, reads, makes FILE.done, waits for FILE.check, and
 * compares. The blocks are those of write-storm. Prints "N of N blocks".
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "pattern.h"

#define AT_ONCE 16
#define NOISE (8 << 20)

static const char *file;

static int die(const char *what) {
  perror(what);
  exit(2);
}

static const char *name(const char *step) {
  static char text[256];
  snprintf(text, sizeof text, "%s.%s", file, step);
  return text;
}

static void say(const char *step) {
  const int made = open(name(step), O_CREAT | O_WRONLY, 0600);
  if (made < 0) die(step);
  close(made);
}

static void wait_for(const char *step) {
  while (access(name(step), F_OK) < 0) usleep(10000);
}

static void make_noise(void) {
  static volatile char noise[NOISE];
  while (access(name("check"), F_OK) < 0) {
    for (size_t page = 0; page < NOISE; page += BLOCK) noise[page]++;
    usleep(5000);
  }
}

int main(int count, char **words) {
  if (count != 6) return 64;
  const int device = open(words[1], O_RDONLY | O_DIRECT);
  if (device < 0) die(words[1]);
  const uint64_t first = strtoull(words[2], NULL, 0), blocks = strtoull(words[3], NULL, 0);
  const uint64_t generation = strtoull(words[4], NULL, 0);
  file = words[5];
  if (fork() == 0) {
    make_noise();
    return 0;
  }
  char *memory;
  if (posix_memalign((void **)&memory, BLOCK, blocks * BLOCK) != 0) die("memory");
  memset(memory, POISON, blocks * BLOCK);
  say("filled");
  wait_for("read");
  for (uint64_t block = 0; block < blocks; block += AT_ONCE) {
    const size_t length = BLOCK * (blocks - block < AT_ONCE ? blocks - block : AT_ONCE);
    if (pread(device, memory + block * BLOCK, length, (off_t)((first + block) * BLOCK)) != (ssize_t)length) die("read");
  }
  say("done");
  wait_for("check");
  uint64_t good = 0;
  for (uint64_t block = 0; block < blocks; block++)
    if (pattern_check((uint64_t *)(memory + block * BLOCK), first + block, generation) == WORDS) good++;
  printf("%llu of %llu blocks\n", (unsigned long long)good, (unsigned long long)blocks);
  return good != blocks;
}
