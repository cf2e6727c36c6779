/*
 * The baseline of bench/ring: a split virtqueue with event indexes, driver and device in one thread, in plain C.
 * It does per item what the algorithm asks for and nothing else: no bounds checks, no chains of more than one
 * descriptor. Usage: baseline BATCH ITEMS [threads]; prints nanoseconds per item.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SIZE 256u
#define MASK (SIZE - 1)
#define WRITABLE 2

struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags;
	uint16_t next;
};

struct available {
	uint16_t flags;
	uint16_t index;
	uint16_t entries[SIZE];
	uint16_t used_event;
};

struct used_entry {
	uint32_t id;
	uint32_t length;
};

struct used {
	uint16_t flags;
	uint16_t index;
	struct used_entry entries[SIZE];
	uint16_t avail_event;
};

static struct descriptor *table;
static struct available *available;
static struct used *used;

static struct {
	uint16_t free_head, free_count, next_available, published, next_used;
	void *buffers[SIZE];
} driver;

static struct {
	uint16_t next_available, next_used, published;
} device;

static unsigned long kicks, calls;

#define load_acquire(place) __atomic_load_n(&(place), __ATOMIC_ACQUIRE)
#define store_release(place, value) __atomic_store_n(&(place), (value), __ATOMIC_RELEASE)
#define load_plain(place) __atomic_load_n(&(place), __ATOMIC_RELAXED)
#define full_barrier() __atomic_thread_fence(__ATOMIC_SEQ_CST)

static int passed(uint16_t event, uint16_t now, uint16_t before)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

static void driver_add(void *buffer, uint32_t length)
{
	uint16_t head = driver.free_head;
	driver.free_head = table[head].next;
	driver.free_count--;
	table[head].address = (uint64_t)(uintptr_t)buffer;
	table[head].length = length;
	table[head].flags = WRITABLE;
	driver.buffers[head] = buffer;
	available->entries[driver.next_available++ & MASK] = head;
}

static int driver_publish(void)
{
	uint16_t before = driver.published;
	driver.published = driver.next_available;
	store_release(available->index, driver.next_available);
	full_barrier();
	return passed(load_plain(used->avail_event), driver.published, before);
}

static void *driver_take_used(uint32_t *length)
{
	if (driver.next_used == load_acquire(used->index))
		return NULL;
	struct used_entry *entry = &used->entries[driver.next_used++ & MASK];
	uint32_t id = entry->id;
	*length = entry->length;
	table[id].next = driver.free_head;
	driver.free_head = (uint16_t)id;
	driver.free_count++;
	return driver.buffers[id];
}

static int driver_ask(void)
{
	store_release(available->used_event, driver.next_used);
	full_barrier();
	return load_acquire(used->index) != driver.next_used;
}

static int device_ask(void)
{
	store_release(used->avail_event, device.next_available);
	full_barrier();
	return load_acquire(available->index) != device.next_available;
}

static int device_take(uint16_t *head, uint64_t *address, uint32_t *length)
{
	if (device.next_available == load_acquire(available->index))
		return 0;
	*head = available->entries[device.next_available++ & MASK];
	*address = table[*head].address;
	*length = table[*head].length;
	return 1;
}

static void device_complete(uint16_t head, uint32_t length)
{
	struct used_entry *entry = &used->entries[device.next_used++ & MASK];
	entry->id = head;
	entry->length = length;
}

static int device_publish(void)
{
	uint16_t before = device.published;
	device.published = device.next_used;
	store_release(used->index, device.next_used);
	full_barrier();
	return passed(load_plain(available->used_event), device.published, before);
}

static unsigned long run(unsigned batch, unsigned long items, void *buffer)
{
	unsigned long sum = 0;
	for (unsigned long done = 0; done < items; done += batch) {
		uint16_t head;
		uint64_t address;
		uint32_t length;
		for (unsigned i = 0; i < batch; i++)
			driver_add(buffer, 64);
		kicks += driver_publish();
		do {
			while (device_take(&head, &address, &length)) {
				sum += length + (address != 0);
				device_complete(head, length);
			}
		} while (device_ask());
		calls += device_publish();
		do {
			while (driver_take_used(&length))
				sum += length;
		} while (driver_ask());
	}
	return sum;
}

/* Processor time, so that what else the machine does does not count. */
static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

#include "baseline-two-threads.h"

int main(int argc, char **argv)
{
	unsigned batch = argc > 1 ? (unsigned)atoi(argv[1]) : 32;
	unsigned long items = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000000;
	char buffer[64];

	table = aligned_alloc(64, sizeof *table * SIZE);
	available = aligned_alloc(64, 1024);
	used = aligned_alloc(64, 4096);
	if (!table || !available || !used || batch == 0 || batch > SIZE)
		return 1;
	memset(table, 0, sizeof *table * SIZE);
	memset(available, 0, 1024);
	memset(used, 0, 4096);
	for (unsigned i = 0; i < SIZE; i++)
		table[i].next = (uint16_t)(i + 1);
	driver.free_count = SIZE;

	if (argc > 3) {
		printf("%.3f\n", run_two_threads(batch, items, buffer));
		return 0;
	}
	unsigned long sum = run(batch, items / 10 / batch * batch, buffer);
	items = items / batch * batch;
	double start = now();
	sum += run(batch, items, buffer);
	double end = now();
	if (sum == 0 || kicks == 0 || calls == 0)
		return 1;
	printf("%.3f\n", (end - start) / items);
	return 0;
}
