/*
 * bench/load/usage.c - processor time and memory of a server, from outside.
 *
 * A process has a clock of its own (clock_getcpuclockid), which adds up the
 * scheduler's nanoseconds of all its threads: what /proc/PID/task/TID/schedstat shows,
 * but also where the kernel is built without that, and without losing the threads that have
 * ended. The tick-based figures of /proc/PID/stat are too coarse.
 */
#include "load/usage.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "load/fail.h"

/* --- descendants -------------------------------------------------------------------- */

typedef int64_t usage_fn(pid_t pid);

/* The sum over PID and all its children, as the kernel lists them for the first thread. */
static int64_t sum(pid_t pid, usage_fn *of)
{
	char path[64];
	int64_t total = of(pid);
	FILE *f;
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(path, "re");
	while (f && fscanf(f, "%d", &child) == 1)
		total += sum(child, of);
	if (f)
		fclose(f);
	return total;
}

/* --- one process -------------------------------------------------------------------- */

static int64_t processor_of(pid_t pid)
{
	clockid_t id;
	struct timespec t;

	if (clock_getcpuclockid(pid, &id) != 0 || clock_gettime(id, &t) != 0)
		return 0;
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t memory_of(pid_t pid)
{
	char line[256];
	long kb = 0;
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%d/status", (int)pid);
	f = fopen(line, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb * 1024LL;
}

/* --- the public ones ---------------------------------------------------------------- */

int64_t usage_processor(pid_t pid)
{
	return pid > 0 ? sum(pid, processor_of) : 0;
}

int64_t usage_own_processor(void)
{
	return processor_of(getpid());
}

int64_t usage_memory(pid_t pid)
{
	return pid > 0 ? sum(pid, memory_of) : 0;
}

int64_t usage_busy(int cpu)
{
	long long user = 0, nice = 0, system = 0, idle, wait, irq = 0, softirq = 0, steal = 0;
	char line[512], name[16];
	bool found = false;
	FILE *f = fopen("/proc/stat", "re");

	snprintf(name, sizeof(name), "cpu%d ", cpu);
	while (f && !found && fgets(line, sizeof(line), f))
		found = strncmp(line, name, strlen(name)) == 0;
	if (found)
		sscanf(line, "%*s %lld %lld %lld %lld %lld %lld %lld %lld", &user, &nice, &system,
		    &idle, &wait, &irq, &softirq, &steal);
	if (f)
		fclose(f);
	return (user + nice + system + irq + softirq + steal) * 1000000000LL / sysconf(_SC_CLK_TCK);
}

void usage_pin(pid_t pid, int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(pid, sizeof(set), &set) < 0)
		fail("cannot pin to processor %d", cpu);
}
