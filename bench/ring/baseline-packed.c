/*
 * The baseline of bench/ring: a packed virtqueue with event indexes, driver and device in one thread, in plain C.
 * It does per item what the algorithm asks for and nothing else: no bounds checks, no chains of more than one
 * descriptor. Usage: baseline BATCH ITEMS [threads]; prints nanoseconds per item.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SIZE 256u
#define WRITABLE 2
#define AVAIL 0x80
#define USED 0x8000
#define DESC 2

struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t id;
	uint16_t flags;
};

struct event {
	uint16_t place;
	uint16_t flags;
};

static struct descriptor *ring;
static struct event *driver_event, *device_event;

static struct {
	uint16_t next, wrap, next_used, used_wrap, free_head, free_count;
	uint16_t first, first_flags, pending;
	uint16_t links[SIZE];
	void *buffers[SIZE];
} driver;

static struct {
	uint16_t next, wrap, next_used, used_wrap, first, first_flags, pending;
} device;

static unsigned long kicks, calls;

#define load_acquire(place) __atomic_load_n(&(place), __ATOMIC_ACQUIRE)
#define store_release(place, value) __atomic_store_n(&(place), (value), __ATOMIC_RELEASE)
#define full_barrier() __atomic_thread_fence(__ATOMIC_SEQ_CST)

static int wants(struct event *event, uint16_t now, uint16_t wrap, uint16_t count)
{
	if (event->flags != DESC)
		return event->flags == 0;
	int behind = now - (event->place & 0x7fff) + ((event->place >> 15) == wrap ? 0 : (int)SIZE);
	return behind > 0 && behind <= count;
}

static void driver_add(void *buffer, uint32_t length)
{
	uint16_t id = driver.free_head;
	uint16_t flags = WRITABLE | (driver.wrap ? AVAIL : USED);
	struct descriptor *place = &ring[driver.next];
	driver.free_head = driver.links[id];
	driver.free_count--;
	driver.buffers[id] = buffer;
	place->address = (uint64_t)(uintptr_t)buffer;
	place->length = length;
	place->id = id;
	if (driver.pending++ == 0) {
		driver.first = driver.next;
		driver.first_flags = flags;
	} else {
		place->flags = flags;
	}
	if (++driver.next == SIZE) {
		driver.next = 0;
		driver.wrap ^= 1;
	}
}

static int driver_publish(void)
{
	uint16_t count = driver.pending;
	driver.pending = 0;
	store_release(ring[driver.first].flags, driver.first_flags);
	full_barrier();
	return wants(device_event, driver.next, driver.wrap, count);
}

static int is_used(void)
{
	uint16_t flags = load_acquire(ring[driver.next_used].flags) & (AVAIL | USED);
	return driver.free_count < SIZE && flags == (driver.used_wrap ? (AVAIL | USED) : 0);
}

static void *driver_take_used(uint32_t *length)
{
	if (!is_used())
		return NULL;
	uint16_t id = ring[driver.next_used].id;
	*length = ring[driver.next_used].length;
	driver.links[id] = driver.free_head;
	driver.free_head = id;
	driver.free_count++;
	if (++driver.next_used == SIZE) {
		driver.next_used = 0;
		driver.used_wrap ^= 1;
	}
	return driver.buffers[id];
}

static int driver_ask(void)
{
	driver_event->place = driver.next_used | driver.used_wrap << 15;
	store_release(driver_event->flags, DESC);
	full_barrier();
	return is_used();
}

static int is_available(void)
{
	uint16_t flags = load_acquire(ring[device.next].flags) & (AVAIL | USED);
	return flags == (device.wrap ? AVAIL : USED);
}

static int device_ask(void)
{
	device_event->place = device.next | device.wrap << 15;
	store_release(device_event->flags, DESC);
	full_barrier();
	return is_available();
}

static int device_take(uint16_t *id, uint64_t *address, uint32_t *length)
{
	if (!is_available())
		return 0;
	*id = ring[device.next].id;
	*address = ring[device.next].address;
	*length = ring[device.next].length;
	if (++device.next == SIZE) {
		device.next = 0;
		device.wrap ^= 1;
	}
	return 1;
}

static void device_complete(uint16_t id, uint32_t length)
{
	struct descriptor *place = &ring[device.next_used];
	uint16_t flags = WRITABLE | (device.used_wrap ? (AVAIL | USED) : 0);
	place->id = id;
	place->length = length;
	if (device.pending++ == 0) {
		device.first = device.next_used;
		device.first_flags = flags;
	} else {
		place->flags = flags;
	}
	if (++device.next_used == SIZE) {
		device.next_used = 0;
		device.used_wrap ^= 1;
	}
}

static int device_publish(void)
{
	uint16_t count = device.pending;
	device.pending = 0;
	store_release(ring[device.first].flags, device.first_flags);
	full_barrier();
	return wants(driver_event, device.next_used, device.used_wrap, count);
}

static unsigned long run(unsigned batch, unsigned long items, void *buffer)
{
	unsigned long sum = 0;
	for (unsigned long done = 0; done < items; done += batch) {
		uint16_t id;
		uint64_t address;
		uint32_t length;
		for (unsigned i = 0; i < batch; i++)
			driver_add(buffer, 64);
		kicks += driver_publish();
		do {
			while (device_take(&id, &address, &length)) {
				sum += length + (address != 0);
				device_complete(id, length);
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

	ring = aligned_alloc(64, sizeof *ring * SIZE);
	driver_event = aligned_alloc(64, 64);
	device_event = aligned_alloc(64, 64);
	memset(ring, 0, sizeof *ring * SIZE);
	memset(driver_event, 0, 64);
	memset(device_event, 0, 64);
	for (unsigned i = 0; i < SIZE; i++)
		driver.links[i] = (uint16_t)(i + 1);
	driver.free_count = SIZE;
	driver.wrap = driver.used_wrap = device.wrap = device.used_wrap = 1;

	if (argc > 3) {
		printf("%.3f\n", run_two_threads(batch, items, buffer));
		return 0;
	}
	run(batch, items / 10 / batch * batch + batch, buffer);
	double start = now();
	unsigned long sum = run(batch, items, buffer);
	double time = now() - start;
	if (sum == 0 || kicks == 0 || calls == 0)
		return 1;
	printf("%f\n", time / items);
	return 0;
}
