/*
 * bench/instructions_server.c - the servers of the workloads of instructions.c: the one that is
 * counted, at a port, with TLS or on a unix socket, and the one behind it.
 *
 * What a configuration needs stands in a directory of its own, which goes with the server.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certificate.h"
#include "instructions.h"

enum { MAX_ARGS = 48, LINE = 512, PATIENCE_MS = 30000 };

struct server server;
static struct server backend; /* behind it, where a workload asks for one */

static char directory[] = "/tmp/instructions-XXXXXX";
static bool has_directory;

/* --- files ------------------------------------------------------------------- */

static const char *in_directory(const char *name)
{
	static char path[4][64];
	static unsigned next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", directory, name);
	return p;
}

static void make_directory(void)
{
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	if (!mkdtemp(directory))
		die("mkdtemp: %s", strerror(errno));
	has_directory = true;
}

static void remove_directory(void)
{
	static const char *const names[] = { "sockjsd.json", "certificate", "key", "socket" };

	for (size_t i = 0; has_directory && i < sizeof(names) / sizeof(*names); i++)
		unlink(in_directory(names[i]));
	if (has_directory)
		rmdir(directory);
	has_directory = false;
}

/* --- configurations ---------------------------------------------------------- */

static void write_place(FILE *f, enum carrier over)
{
	const char *certificate = in_directory("certificate"), *key = in_directory("key");

	if (over == OVER_TLS && !certificate_write(certificate, key))
		die("no certificate in %s", directory);
	if (over == OVER_TLS)
		fprintf(f,
		    "{ \"address\": \"127.0.0.1:0\", \"tls\": { \"certificate\": \"%s\", "
		    "\"key\": \"%s\" } }",
		    certificate, key);
	else if (over == OVER_UNIX)
		fprintf(f, "\"unix:%s\"", in_directory("socket"));
	else
		fprintf(f, "\"127.0.0.1:0\"");
}

/* As --demo has them, as far as workloads ask for them; or one in front of the backend. */
static void write_endpoints(FILE *f, bool is_proxied)
{
	if (is_proxied)
		fprintf(f,
		    "{ \"prefix\": \"/echo\", \"application\": \"upstream\", \"upstream\": "
		    "{ \"url\": \"ws://127.0.0.1:%s/echo/websocket\" } }",
		    backend.address[0].port);
	else
		fprintf(f, "{ \"prefix\": \"/echo\", \"application\": \"echo\", "
		           "\"allowed_origins\": [\"*\"] }, "
		           "{ \"prefix\": \"" LONG_ECHO "\", \"application\": \"echo\", "
		           "\"allowed_origins\": [\"*\"] }");
}

/* The program of COMMAND with a configuration that suits the workload. */
static void configure(const struct workload *w, const char *command, char configured[LINE])
{
	const char *file;
	FILE *f;

	make_directory();
	file = in_directory("sockjsd.json");
	f = fopen(file, "we");
	if (!f)
		die("%s: %s", file, strerror(errno));
	fprintf(f, "{ \"threads\": 1, \"log_level\": \"warn\", \"listen\": [ ");
	write_place(f, w->over);
	fprintf(f, " ], \"endpoints\": [ ");
	write_endpoints(f, w->is_proxied);
	fprintf(f, " ] }\n");
	fclose(f);
	snprintf(configured, LINE, "%.*s -c %s", (int)strcspn(command, " "), command,
	    in_directory("sockjsd.json"));
}

/* --- starting and stopping --------------------------------------------------- */

static void start(struct server *s, const char *const tool[], const char *command)
{
	static char copy[4096];
	char *argv[MAX_ARGS], *word;
	size_t n = 0;

	while (tool[n]) {
		argv[n] = (char *)tool[n];
		n++;
	}
	snprintf(copy, sizeof(copy), "%s", command);
	for (word = strtok(copy, " "); word && n < MAX_ARGS - 1; word = strtok(NULL, " "))
		argv[n++] = word;
	argv[n] = NULL;
	if (server_start(s, argv, now_ms() + PATIENCE_MS) < 0) {
		server_log(s, true);
		die("the server does not start: %s %s", tool[0] ? tool[0] : "", command);
	}
}

void start_server(const struct workload *w, const char *const tool[], const char *command)
{
	static const char *const nothing[] = { NULL };
	char configured[LINE];

	if (w->is_proxied)
		start(&backend, nothing, command);
	if (!w->is_proxied && w->over == OVER_TCP) {
		start(&server, tool, command);
		return;
	}
	configure(w, command, configured);
	start(&server, tool, configured);
}

static void stop(struct server *s)
{
	char why[128];

	if (s->pid <= 0)
		return;
	if (!server_stop(s, PATIENCE_MS, why)) {
		server_log(s, true);
		s->pid = 0;
		die("the server %s", why);
	}
	s->pid = 0;
}

void stop_server(void)
{
	stop(&server);
	if (backend.pid > 0) {
		stop(&backend);
		server_log(&backend, false);
	}
	remove_directory();
}

void kill_server(void)
{
	if (server.pid > 0)
		kill(server.pid, SIGKILL);
	if (backend.pid > 0)
		kill(backend.pid, SIGKILL);
	remove_directory();
}
