/* Writes blocks of a disk past the page cache, and keeps as many writes outstanding as it is told:
 *
 *     write-storm write|check DEVICE BLOCKS ROUNDS DEPTH PROCESSES [FILE]
 *
 * Every block of 4 KiB is written so often, each time with other bytes, never twice at once. Process n runs on processor n, has a
 * part of the blocks and of the depth. With `check` each block is read back after each write. When FILE appears no more writes are
 * begun. In the end all blocks are read and compared with what was written last.
 *
 * Prints "N written, N read back, N errors, N blocks as written", and a line for each of the first errors. Fails if there were any.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "pattern.h"

struct slot {
  struct iocb request;
  uint64_t *words;
  uint64_t block;
  int is_busy;
};

struct lane {
  uint64_t written, read_back, errors;
};

static int device, is_checking;
static uint64_t rounds;
static const char *stop_file;
/* How often each block was written. Shared by all processes. */
static uint64_t *generations;
static struct lane *lanes;

static void die(const char *what) {
  perror(what);
  _exit(2);
}

static void *shared(size_t bytes) {
  void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) die("mmap");
  return memory;
}

static void complain(struct lane *lane, const char *what, uint64_t block, long long detail) {
  if (lane->errors++ < 8)
    printf("%s: block %llu, generation %llu: %lld\n", what, (unsigned long long)block, (unsigned long long)generations[block], detail);
}

static void submit(aio_context_t context, struct slot *slot, int operation) {
  struct iocb *request = &slot->request;
  *request = (struct iocb){.aio_lio_opcode = (uint16_t)operation,
                           .aio_fildes = (uint32_t)device,
                           .aio_buf = (uintptr_t)slot->words,
                           .aio_nbytes = BLOCK,
                           .aio_offset = (int64_t)(slot->block * BLOCK),
                           .aio_data = (uintptr_t)slot};
  slot->is_busy = 1;
  for (;;) {
    if (syscall(SYS_io_submit, context, 1, &request) == 1) return;
    if (errno != EAGAIN && errno != EINTR) die("io_submit");
    usleep(1000);
  }
}

static void write_next(aio_context_t context, struct slot *slot, uint64_t block) {
  slot->block = block;
  pattern_fill(slot->words, block, ++generations[block]);
  submit(context, slot, IOCB_CMD_PWRITE);
}

/* Gives 1 when the slot is free again. */
static int finish(aio_context_t context, struct slot *slot, long long result, struct lane *lane) {
  const int was_write = slot->request.aio_lio_opcode == IOCB_CMD_PWRITE;
  if (!slot->is_busy) complain(lane, "answered twice", slot->block, result);
  slot->is_busy = 0;
  if (result != BLOCK) complain(lane, was_write ? "write" : "read", slot->block, result);
  if (was_write) {
    lane->written++;
    if (!is_checking) return 1;
    memset(slot->words, POISON, BLOCK);
    submit(context, slot, IOCB_CMD_PREAD);
    return 0;
  }
  lane->read_back++;
  const size_t wrong = pattern_check(slot->words, slot->block, generations[slot->block]);
  if (wrong < WORDS) complain(lane, "wrong bytes at word", slot->block, (long long)wrong);
  return 1;
}

static void run(unsigned number, uint64_t first, uint64_t count, unsigned depth, struct lane *lane) {
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(number, &here);
  if (sched_setaffinity(0, sizeof here, &here) < 0) die("sched_setaffinity");
  aio_context_t context = 0;
  if (syscall(SYS_io_setup, depth, &context) < 0) die("io_setup");
  struct slot *slots = calloc(depth, sizeof *slots);
  struct slot **spare = calloc(depth, sizeof *spare);
  struct io_event *events = calloc(depth, sizeof *events);
  /* Blocks of which none is being written, oldest first. */
  uint64_t *idle = calloc(count, sizeof *idle), head = 0, waiting = count;
  for (uint64_t index = 0; index < count; index++) idle[index] = first + index;
  unsigned free_slots = depth;
  for (unsigned index = 0; index < depth; index++) {
    spare[index] = &slots[index];
    if (posix_memalign((void **)&slots[index].words, BLOCK, BLOCK) != 0) die("memory");
  }
  for (;;) {
    const int is_over = stop_file != NULL && access(stop_file, F_OK) == 0;
    while (!is_over && waiting > 0 && free_slots > 0) {
      write_next(context, spare[--free_slots], idle[head]);
      head = (head + 1) % count;
      waiting--;
    }
    if (free_slots == depth) break;
    long got = syscall(SYS_io_getevents, context, 1, depth, events, NULL);
    if (got < 0 && errno != EINTR) die("io_getevents");
    for (long index = 0; index < got; index++) {
      struct slot *slot = (struct slot *)(uintptr_t)events[index].data;
      if (!finish(context, slot, (long long)events[index].res, lane)) continue;
      spare[free_slots++] = slot;
      if (generations[slot->block] < rounds) idle[(head + waiting++) % count] = slot->block;
    }
  }
  fflush(stdout);
}

static uint64_t compare_all(uint64_t blocks, struct lane *lane) {
  uint64_t *words, good = 0;
  if (posix_memalign((void **)&words, BLOCK, BLOCK) != 0) die("memory");
  for (uint64_t block = 0; block < blocks; block++) {
    memset(words, POISON, BLOCK);
    const ssize_t length = pread(device, words, BLOCK, (off_t)(block * BLOCK));
    if (length != BLOCK) complain(lane, "read", block, (long long)length);
    else if (generations[block] == 0 || pattern_check(words, block, generations[block]) == WORDS) good++;
    else complain(lane, "wrong in the end", block, (long long)words[1]);
  }
  return good;
}

int main(int count, char **words) {
  if (count < 7) return 64;
  is_checking = strcmp(words[1], "check") == 0;
  device = open(words[2], O_RDWR | O_DIRECT);
  if (device < 0) die(words[2]);
  const uint64_t blocks = strtoull(words[3], NULL, 0);
  rounds = strtoull(words[4], NULL, 0);
  const unsigned depth = (unsigned)atoi(words[5]), processes = (unsigned)atoi(words[6]);
  stop_file = words[7];
  generations = shared(blocks * sizeof *generations);
  lanes = shared((processes + 1) * sizeof *lanes);
  for (unsigned number = 0; number < processes; number++) {
    const pid_t child = fork();
    if (child < 0) die("fork");
    if (child > 0) continue;
    const uint64_t first = blocks * number / processes, end = blocks * (number + 1) / processes;
    run(number, first, end - first, depth / processes, &lanes[number]);
    _exit(0);
  }
  int status, failed = 0;
  while (wait(&status) > 0) failed |= status != 0;
  const uint64_t good = compare_all(blocks, &lanes[processes]);
  struct lane sum = {0};
  for (unsigned number = 0; number <= processes; number++) {
    sum.written += lanes[number].written;
    sum.read_back += lanes[number].read_back;
    sum.errors += lanes[number].errors;
  }
  printf("%llu written, %llu read back, %llu errors, %llu blocks as written\n", (unsigned long long)sum.written,
         (unsigned long long)sum.read_back, (unsigned long long)sum.errors, (unsigned long long)good);
  return failed || sum.errors > 0;
}
