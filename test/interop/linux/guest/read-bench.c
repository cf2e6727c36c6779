/*
 * Reads a disk past the page cache, with as many processes as reads are to be outstanding:
 *
 *     read-bench DEVICE BLOCK_SIZE DEPTH MILLISECONDS random|sequential
 *
 * Prints the number of reads and the nanoseconds that they took together.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void fail(const char *what)
{
	perror(what);
	_exit(1);
}

struct lane {
	volatile uint64_t reads;
	char padding[56];
};

static void run(int fd, uint64_t blocks, size_t size, unsigned depth, unsigned number, uint64_t end, int sequential,
		struct lane *lane)
{
	void *buffer;
	uint64_t state = 88172645463325252u + number;
	uint64_t next = number;

	if (posix_memalign(&buffer, 4096, size) != 0)
		fail("memory");
	while (now() < end) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		uint64_t block = sequential ? next % blocks : state % blocks;
		next += depth;
		if (pread(fd, buffer, size, (off_t)(block * size)) != (ssize_t)size)
			fail("read");
		lane->reads++;
	}
}

int main(int count, char **words)
{
	if (count != 6) {
		fprintf(stderr, "usage: read-bench DEVICE BLOCK_SIZE DEPTH MILLISECONDS random|sequential\n");
		return 2;
	}
	size_t size = strtoul(words[2], NULL, 10);
	unsigned depth = (unsigned)strtoul(words[3], NULL, 10);
	uint64_t length = strtoull(words[4], NULL, 10) * 1000000u;
	int sequential = strcmp(words[5], "sequential") == 0;
	uint64_t bytes;

	int fd = open(words[1], O_RDONLY | O_DIRECT);
	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes) != 0)
		fail(words[1]);
	struct lane *lanes = mmap(NULL, depth * sizeof(struct lane), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (lanes == MAP_FAILED)
		fail("mmap");

	uint64_t start = now();
	for (unsigned number = 0; number < depth; number++) {
		pid_t child = fork();
		if (child < 0)
			fail("fork");
		if (child == 0) {
			run(fd, bytes / size, size, depth, number, start + length, sequential, &lanes[number]);
			_exit(0);
		}
	}
	int failed = 0;
	for (unsigned number = 0; number < depth; number++) {
		int status;
		if (wait(&status) < 0 || status != 0)
			failed = 1;
	}
	uint64_t took = now() - start;
	uint64_t reads = 0;
	for (unsigned number = 0; number < depth; number++)
		reads += lanes[number].reads;
	printf("%llu %llu\n", (unsigned long long)reads, (unsigned long long)took);
	return failed;
}
