/*
 * bench/load/usage.h - what a process and its descendants have used.
 */
#ifndef LOAD_USAGE_H
#define LOAD_USAGE_H

#include <stdint.h>
#include <sys/types.h>

/* Processor time in nanoseconds, of all threads, the ended ones too; 0 for no process. */
int64_t usage_processor(pid_t pid);

/* The same of this process, without the server that is its child. */
int64_t usage_own_processor(void);

/* Resident memory in bytes. */
int64_t usage_memory(pid_t pid);

/* Time in nanoseconds that a processor was not idle, whoever had it; to 10 ms. */
int64_t usage_busy(int cpu);

/* Pins a process and what it will start to one processor; a negative one means no pinning. */
void usage_pin(pid_t pid, int cpu);

#endif
