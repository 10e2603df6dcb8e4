/*
 * bench/load/load.c - opens sessions, keeps the loop running, and reads the clocks.
 */
#include "load/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/fail.h"
#include "load/usage.h"

enum { AT_ONCE = 64, PATIENCE_S = 20, STEP_NS = 100000000 };

/* --- beginning ---------------------------------------------------------------------- */

#define CHROME                                                                                     \
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "      \
	"Chrome/140.0.0.0 Safari/537.36\r\n"

/* What a request of sockjs-client brings along in a page of another origin, and the opening
 * handshake of a WebSocket, which is 594 octets long then. */
static void compose_fields(struct load *load)
{
	static const char request[] =
	    "Connection: keep-alive\r\n"
	    "sec-ch-ua: \"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\"\r\n"
	    "sec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\n" CHROME
	    "Accept: */*\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\n"
	    "Sec-Fetch-Dest: empty\r\nReferer: http://bench.example/\r\n"
	    "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n";
	static const char handshake[] =
	    "Pragma: no-cache\r\nCache-Control: no-cache\r\n" CHROME
	    "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n"
	    "Cookie: _ga=GA1.1.1234567890.1700000000; "
	    "session=0123456789abcdef0123456789abcdef0123456789\r\n"
	    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
	const struct options *o = &load->options;
	const char *browser = o->transport->opcode ? handshake : request;

	snprintf(load->fields, sizeof(load->fields),
	    "Host: %s\r\nOrigin: http://bench.example\r\n%s", place_host(&o->place),
	    o->browser_heads ? browser : "");
}

void load_init(struct load *load, const struct options *options)
{
	struct session *s;

	*load =
	    (struct load){ .options = *options, .workload = options->workload, .at_once = AT_ONCE };
	load->total = options->connections + options->crowd;
	load->scratch = must(malloc(SCRATCH_BYTES));
	load->sessions = must(calloc(load->total + 1, sizeof(*load->sessions)));
	loop_init(&load->loop, &options->place);
	compose_fields(load);
	for (unsigned i = 0; i <= load->total; i++) {
		s = &load->sessions[i];
		s->load = load;
		s->number = i;
		s->transport = options->transport;
		s->down.fd = s->up.fd = -1;
		s->sent_at = must(calloc(options->depth, sizeof(*s->sent_at)));
	}
}

void load_open(struct load *load, unsigned n)
{
	unsigned begun = load->opened, before = begun;
	int64_t last = loop_clock();

	while (load->opened < n) {
		while (begun < n && begun < load->opened + load->at_once)
			session_open(&load->sessions[begun++]);
		loop_turn(&load->loop, loop_clock() + STEP_NS);
		if (load->opened != before) {
			before = load->opened;
			last = loop_clock();
		} else if (loop_clock() - last > PATIENCE_S * 1000000000LL) {
			fail(
			    "session %u of %u has not opened in %d s", load->opened, n, PATIENCE_S);
		}
	}
}

void load_close(struct load *load)
{
	for (unsigned i = 0; i <= load->total; i++) {
		link_close(&load->sessions[i].down);
		link_close(&load->sessions[i].up);
	}
}

/* --- running ------------------------------------------------------------------------ */

void load_run(struct load *load, double seconds)
{
	int64_t end = loop_clock() + (int64_t)(seconds * 1e9);

	while (loop_clock() < end)
		loop_turn(&load->loop, end);
}

/* As long as something is counted there is hope. */
void load_run_until(struct load *load, bool (*done)(struct load *load), const char *what)
{
	int64_t last = loop_clock();
	uint64_t units = load->units;

	while (!done(load)) {
		loop_turn(&load->loop, loop_clock() + STEP_NS);
		if (load->units != units) {
			units = load->units;
			last = loop_clock();
		} else if (loop_clock() - last > PATIENCE_S * 1000000000LL) {
			fail("%s: nothing has happened for %d s", what, PATIENCE_S);
		}
	}
}

/* --- measuring ---------------------------------------------------------------------- */

static struct reading read_now(const struct load *load)
{
	const struct options *o = &load->options;
	struct reading r = { .units = load->units };

	if (o->server_cpu >= 0 && o->load_cpu >= 0 && o->server_cpu != o->load_cpu)
		r.busy = usage_busy(o->server_cpu) + usage_busy(o->load_cpu);
	r.when = loop_clock();
	r.server_cpu = usage_processor(o->pid);
	r.load_cpu = usage_own_processor();
	return r;
}

void load_begin(struct load *load)
{
	load->result.from = read_now(load);
	load->is_measuring = true;
}

void load_end(struct load *load)
{
	load->result.to = read_now(load);
	load->result.memory = usage_memory(load->options.pid);
	load->is_measuring = false;
	if (load->result.to.units == load->result.from.units)
		fail("nothing came through in the time of the measurement");
}

void load_measure(struct load *load, bool (*is_done)(struct load *load))
{
	load->loop.now = loop_clock();
	if (load->options.count)
		load_begin(load);
	for (unsigned i = 0; i <= load->total; i++)
		session_turn(&load->sessions[i]);
	if (load->options.count) {
		load_run_until(load, is_done, "waiting for all messages");
		load_end(load);
		return;
	}
	load_run(load, load->options.warmup);
	load_begin(load);
	load_run(load, load->options.seconds);
	load_end(load);
	load->is_stopping = true;
	load_run_until(load, is_done, "waiting for the last messages");
}

/* --- shares ------------------------------------------------------------------------- */

/* How many of all the messages session I of N may send. */
static uint64_t share(const struct load *load, unsigned i, unsigned n)
{
	uint64_t count = load->options.count;

	return count ? count / n + (i < count % n) : UINT64_MAX;
}

static bool are_shares_done(struct load *load)
{
	for (unsigned i = 0; i < load->options.connections; i++) {
		const struct session *s = &load->sessions[i];

		if (!load->workload->is_quiet(s) || (load->options.count && s->sent < s->quota))
			return false;
	}
	return true;
}

void load_run_shares(struct load *load)
{
	unsigned n = load->options.connections;

	load_open(load, load->total);
	for (unsigned i = 0; i < n; i++)
		load->sessions[i].quota = share(load, i, n);
	load_measure(load, are_shares_done);
}
