/*
 * bench/load/idle.c - sessions that are opened and left alone: what one costs.
 *
 * Memory is what the server has more than when it had the first few; that leaves out its
 * own. They are opened one after another, because many at once need memory for being many at
 * once. It is user space only: what the kernel keeps for a connection is the same for all.
 */
#include "load/fail.h"
#include "load/usage.h"
#include "load/workloads.h"

enum { WARM = 200 };

static void on_message(struct session *s, const char *data, size_t len)
{
	(void)s, (void)data, (void)len;
}

static void run(struct load *load)
{
	int64_t before;

	if (load->total <= WARM)
		fail("more than %d sessions are wanted", WARM);
	load->at_once = 1;
	load_open(load, WARM);
	load_run(load, load->options.warmup);
	before = usage_memory(load->options.pid);
	load_open(load, load->total);
	load_run(load, load->options.warmup);
	load->result.memory_each =
	    (usage_memory(load->options.pid) - before) / (int64_t)(load->total - WARM);
	load_begin(load);
	load_run(load, load->options.seconds);
	load->units = load->total; /* what the processor time is divided by */
	load_end(load);
}

const struct workload idle_workload = {
	.name = "idle",
	.prefix = "/echo",
	.transport = "ws",
	.unit = "session",
	.subscribes = true,
	.run = run,
	.message = on_message,
};
