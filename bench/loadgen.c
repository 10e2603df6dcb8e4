/*
 * bench/loadgen.c - a load for servers of WebSocket, SockJS and STOMP, and what it costs them.
 *
 *	loadgen [OPTION]... WORKLOAD [TRANSPORT] [-- SERVER ARG...]
 *
 * Starts the server on one processor, loads it from another, checks the content and order of
 * every message, and prints one JSON object: the processor time of the server for each message, the
 * latencies, and how it came to them. Uses nothing of the code under test.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "load/fail.h"
#include "load/message.h"
#include "load/server.h"
#include "load/tls.h"
#include "load/usage.h"
#include "load/workloads.h"

static const char usage_text[] =
    "Usage: loadgen [OPTION]... WORKLOAD [TRANSPORT] [-- SERVER ARG...]\n"
    "\n"
    "  -c, --connections N   sessions (100)\n"
    "  -d, --depth N         messages under way for each session (1)\n"
    "  -s, --size BYTES      of a message (64)\n"
    "  -t, --seconds S       how long to measure (2)\n"
    "  -w, --warmup S        how long to run before (0.5)\n"
    "  -n, --count N         measure so many messages, without a warm-up, instead of seconds\n"
    "      --crowd N         so many sessions more, which are idle\n"
    "      --topics N        that each of these subscribes; with \"subscriptions\", each of all "
    "(1)\n"
    "      --browser         request heads as long as a browser's\n"
    "      --resume          connect by TLS with the latest ticket, but for the first time\n"
    "      --prefix PATH     of the endpoint (/echo, /broadcast or /ticker, as the workload asks)\n"
    "      --path PATH       of what is not SockJS (PREFIX/websocket)\n"
    "      --publish PATH    publish by plain POST requests to PATH\n"
    "      --connect PLACE   where the server listens, if it does not say \"listening on PLACE\":\n"
    "                        HOST:PORT, https://HOST:PORT or unix:PATH\n"
    "      --pid PID         of a server that runs already\n"
    "      --cpus S,L        processors of the server and of the load (0,1)\n"
    "      --label TEXT      copied to the output\n"
    "\n"
    "A server that is given is started, and stopped at the end. Its processor time is that of the\n"
    "process and its children. With --count, start and end are at the first and the last "
    "message.\n";

/* --- options ------------------------------------------------------------------------ */

enum {
	OPT_CROWD = 256,
	OPT_TOPICS,
	OPT_BROWSER,
	OPT_RESUME,
	OPT_PREFIX,
	OPT_PATH,
	OPT_PUBLISH,
	OPT_CONNECT,
	OPT_PID,
	OPT_CPUS,
	OPT_LABEL
};

static double number(const char *text, double min, double max)
{
	char *end;
	double n = strtod(text, &end);

	if (end == text || *end || !(n >= min && n <= max))
		fail("\"%s\" is not a number from %g to %g", text, min, max);
	return n;
}

static void set_option(struct options *o, int c)
{
	switch (c) {
	case 'c':
		o->connections = (unsigned)number(optarg, 1, 1e6);
		break;
	case 'd':
		o->depth = (unsigned)number(optarg, 1, 1024);
		break;
	case 's':
		o->size = (size_t)number(optarg, MESSAGE_MIN, MESSAGE_MAX);
		break;
	case 't':
		o->seconds = number(optarg, 0.01, 1e6);
		break;
	case 'w':
		o->warmup = number(optarg, 0, 1e6);
		break;
	case 'n':
		o->count = (uint64_t)number(optarg, 1, 1e12);
		break;
	case OPT_CROWD:
		o->crowd = (unsigned)number(optarg, 0, 1e6);
		break;
	case OPT_TOPICS:
		o->topics = (unsigned)number(optarg, 1, 1e4);
		break;
	case OPT_BROWSER:
		o->browser_heads = true;
		break;
	case OPT_RESUME:
		tls_resume();
		break;
	case OPT_PREFIX:
		o->prefix = optarg;
		break;
	case OPT_PATH:
		o->path = optarg;
		break;
	case OPT_PUBLISH:
		o->publish = optarg;
		break;
	case OPT_CONNECT:
		o->place = place_parse(optarg);
		break;
	case OPT_PID:
		o->pid = (pid_t)number(optarg, 1, 1e9);
		break;
	case OPT_LABEL:
		o->label = optarg;
		break;
	case OPT_CPUS:
		if (sscanf(optarg, "%d,%d", &o->server_cpu, &o->load_cpu) != 2)
			fail("\"%s\" is not two processors", optarg);
		break;
	default:
		exit(2);
	}
}

static void read_options(struct options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "connections", required_argument, NULL, 'c' },
		{ "depth", required_argument, NULL, 'd' },
		{ "size", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "warmup", required_argument, NULL, 'w' },
		{ "count", required_argument, NULL, 'n' },
		{ "crowd", required_argument, NULL, OPT_CROWD },
		{ "topics", required_argument, NULL, OPT_TOPICS },
		{ "browser", no_argument, NULL, OPT_BROWSER },
		{ "resume", no_argument, NULL, OPT_RESUME },
		{ "prefix", required_argument, NULL, OPT_PREFIX },
		{ "path", required_argument, NULL, OPT_PATH },
		{ "publish", required_argument, NULL, OPT_PUBLISH },
		{ "connect", required_argument, NULL, OPT_CONNECT },
		{ "pid", required_argument, NULL, OPT_PID },
		{ "cpus", required_argument, NULL, OPT_CPUS },
		{ "label", required_argument, NULL, OPT_LABEL },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "+c:d:s:t:w:n:h", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage_text, stdout);
			exit(0);
		}
		set_option(o, c);
	}
}

static void list_names(void)
{
	fputs("workloads:", stderr);
	for (unsigned i = 0; workload_at(i); i++)
		fprintf(stderr, " %s", workload_at(i)->name);
	fputs("\ntransports:", stderr);
	for (unsigned i = 0; transport_at(i); i++)
		fprintf(stderr, " %s", transport_at(i)->name);
	fputc('\n', stderr);
}

/* WORKLOAD [TRANSPORT] [-- SERVER...]; returns the command of the server or NULL. */
static char **read_words(struct options *o, char **words)
{
	const char *transport;

	o->workload = *words ? workload_find(*words++) : NULL;
	if (!o->workload) {
		list_names();
		fail("which workload? See --help");
	}
	transport = o->workload->transport;
	if (*words && strcmp(*words, "--") != 0)
		transport = *words++;
	o->transport = transport_find(transport);
	if (!o->transport) {
		list_names();
		fail("no such transport: %s", transport);
	}
	if (!*words)
		return NULL;
	if (strcmp(*words, "--") != 0 || !words[1])
		fail("\"-- SERVER ARG...\" is expected at \"%s\"", *words);
	return words + 1;
}

/* What follows from the others. */
static void complete(struct options *o)
{
	static char path[256];

	if (!o->prefix)
		o->prefix = o->workload->prefix;
	if (!o->path)
		o->path = o->transport->path;
	if (!o->path) {
		snprintf(path, sizeof(path), "%s/websocket", o->prefix);
		o->path = path;
	}
	if (o->transport == &transport_post && !o->publish)
		fail("the transport \"post\" needs --publish");
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		o->server_cpu = o->load_cpu = -1;
}

/* --- output ------------------------------------------------------------------------- */

static double us(uint64_t ns)
{
	return (double)ns / 1000;
}

static void print_latencies(const struct histogram *h)
{
	if (h->count == 0)
		return;
	printf(", \"latency_us\": { \"p50\": %.1f, \"p99\": %.1f, \"p99.9\": %.1f, \"max\": %.1f }",
	    us(histogram_quantile(h, 0.5)), us(histogram_quantile(h, 0.99)),
	    us(histogram_quantile(h, 0.999)), us(h->max));
}

static void print_what(const struct options *o, double seconds)
{
	if (o->label)
		printf("\"label\": \"%s\", ", o->label);
	printf("\"workload\": \"%s\", \"transport\": \"%s\", \"connections\": %u, \"crowd\": %u, "
	       "\"depth\": %u, \"size\": %zu, \"seconds\": %.3f",
	    o->workload->name, o->transport->name, o->connections, o->crowd, o->depth, o->size,
	    seconds);
}

/* What the server used can be told only of one whose process is known. */
static void print_cost(const struct load *load, double units, double server_ns)
{
	const struct options *o = &load->options;

	if (load->result.memory_each) {
		printf(", \"bytes_each\": %lld", (long long)load->result.memory_each);
		return;
	}
	printf(", \"unit\": \"%s\", \"units\": %.0f", o->workload->unit, units);
	if (o->pid)
		printf(", \"server_us\": %.4f", server_ns / units / 1000);
}

/* Who had the processors; `others_busy` is what disturbed. */
static void print_shares(const struct load *load, double ns, double server_ns)
{
	const struct reading *a = &load->result.from, *b = &load->result.to;
	double own = (double)(b->load_cpu - a->load_cpu);
	double others = ((double)(b->busy - a->busy) - server_ns - own) / ns / 2;

	printf(", \"load_busy\": %.4f", own / ns);
	if (!load->options.pid)
		return;
	printf(", \"server_busy\": %.4f, \"server_bytes\": %lld", server_ns / ns,
	    (long long)load->result.memory);
	if (b->busy)
		printf(", \"others_busy\": %.4f", others > 0 ? others : 0);
}

static void print_result(const struct load *load)
{
	const struct reading *a = &load->result.from, *b = &load->result.to;
	double units = (double)(b->units - a->units), ns = (double)(b->when - a->when);
	double server = (double)(b->server_cpu - a->server_cpu);

	printf("{ ");
	print_what(&load->options, ns / 1e9);
	print_cost(load, units, server);
	if (!load->result.memory_each)
		printf(", \"per_second\": %.0f", units * 1e9 / ns);
	print_shares(load, ns, server);
	print_latencies(&load->latency);
	puts(" }");
}

/* --- main --------------------------------------------------------------------------- */

static void raise_descriptors(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max; /* the server inherits it */
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	static struct load load;
	struct options o = { .connections = 100,
		.depth = 1,
		.topics = 1,
		.size = 64,
		.seconds = 2,
		.warmup = 0.5,
		.server_cpu = 0,
		.load_cpu = 1 };
	struct server server = { 0 };
	char **command;

	read_options(&o, argc, argv);
	command = read_words(&o, argv + optind);
	complete(&o);
	signal(SIGPIPE, SIG_IGN);
	raise_descriptors();
	message_init();
	if (command) {
		server_start(&server, command, o.server_cpu, &o.place);
		o.place = server.place;
		o.pid = server.pid;
	} else if (!o.place.len) {
		fail("which server? Give -- SERVER ARG... or --connect PLACE");
	}
	usage_pin(0, o.load_cpu);
	load_init(&load, &o);
	o.workload->run(&load);
	print_result(&load);
	load_close(&load);
	server_stop(&server);
	return 0;
}
