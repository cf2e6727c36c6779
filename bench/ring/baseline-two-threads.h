/*
 * Driver and device of a baseline in a thread each, polling: included by the baselines behind their functions.
 */
#include <pthread.h>

static unsigned long items_to_serve;

static void pause_processor(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

static void *serve(void *unused)
{
	(void)unused;
	for (unsigned long served = 0; served < items_to_serve;) {
		uint16_t id;
		uint64_t address;
		uint32_t length;
		unsigned long before = served;
		for (; device_take(&id, &address, &length); served++)
			device_complete(id, length);
		if (served != before)
			calls += device_publish();
		else
			pause_processor();
	}
	return NULL;
}

/* Nanoseconds per item. */
static double run_two_threads(unsigned batch, unsigned long items, void *buffer)
{
	pthread_t device_thread;
	struct timespec start, end;
	unsigned long sent = 0, back = 0;
	uint32_t length;

	items_to_serve = items;
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (pthread_create(&device_thread, NULL, serve, NULL))
		exit(1);
	while (back < items) {
		unsigned long before = back;
		unsigned added = 0;
		for (; added < batch && sent < items && sent - back < SIZE; added++, sent++)
			driver_add(buffer, 64);
		if (added)
			kicks += driver_publish();
		while (driver_take_used(&length))
			back++;
		if (!added && back == before)
			pause_processor();
	}
	pthread_join(device_thread, NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	return ((end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec)) / items;
}
