/*
 * hostile/main.c - sockjs-hostile: the order of start and stop; see doc/sockjs-hostile.1.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hostile/cmdline.h"
#include "hostile/control.h"
#include "sockjs.h"

struct hostile {
	struct proxy proxy;
	struct control control;
	const struct cmdline *cmd;
};

static struct loop *watched;

static enum exit_code fail(const char *what, const char *why)
{
	fprintf(stderr, "sockjs-hostile: %s: %s\n", what, why);
	return EXIT_RUNNING;
}

/* --- signals ------------------------------------------------------------------------------- */

static void on_signal(int signo)
{
	(void)signo;
	loop_stop(watched);
}

static void watch_signals(struct loop *loop)
{
	struct sigaction stop = { .sa_handler = on_signal }, ignore = { .sa_handler = SIG_IGN };

	watched = loop;
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

/* --- addresses -------------------------------------------------------------------------------- */

typedef int (*open_fn)(void *what, const struct listen_addr *address, char *why, size_t why_size);

static int open_proxy(void *what, const struct listen_addr *address, char *why, size_t why_size)
{
	struct hostile *h = what;

	return proxy_open(&h->proxy, address, why, why_size);
}

static int open_control(void *what, const struct listen_addr *address, char *why, size_t why_size)
{
	struct hostile *h = what;

	return control_open(&h->control, &h->proxy, address, why, why_size);
}

static enum exit_code open_at(struct hostile *h, const char *text, open_fn open)
{
	struct listen_addr address;
	const char *wrong;
	char why[256];

	if (listen_addr_inherited(text) || listen_addr_parse(text, &address, &wrong) < 0 ||
	    address.sa.ss_family == AF_UNIX) {
		fail(text, "an address is HOST:PORT or [V6]:PORT");
		return EXIT_USAGE;
	}
	return open(h, &address, why, sizeof(why)) < 0 ? fail(text, why) : EXIT_STOPPED;
}

static const char *url_of(const struct listen_socket *socket, char text[ADDR_TEXT_MAX])
{
	struct addr addr = addr_from_sockaddr((const void *)&socket->addr.sa);

	return addr_print(&addr, true, text);
}

static void say_ready(const struct hostile *h)
{
	const struct proxy *p = &h->proxy;
	bool is_v6 = strchr(p->settings.target_host, ':') != NULL;
	char text[ADDR_TEXT_MAX];

	printf("listening on http://%s for http://%s%s%s:%u", url_of(&p->socket, text),
	    is_v6 ? "[" : "", p->settings.target_host, is_v6 ? "]" : "", p->settings.target_port);
	if (h->control.listener)
		printf(", control on http://%s", url_of(&h->control.socket, text));
	printf("\n");
	fflush(stdout);
}

/* --- life ------------------------------------------------------------------------------------- */

static enum exit_code run(struct hostile *h)
{
	const struct cmdline *cmd = h->cmd;
	enum exit_code code = open_at(h, cmd->listen ? cmd->listen : "127.0.0.1:0", open_proxy);

	if (code != EXIT_STOPPED)
		return code;
	if (cmd->control)
		code = open_at(h, cmd->control, open_control);
	if (code == EXIT_STOPPED) {
		watch_signals(h->proxy.loop);
		say_ready(h);
		if (loop_run(h->proxy.loop) < 0)
			code = fail("cannot run", "the loop has failed");
	}
	if (h->control.listener)
		control_close(&h->control);
	proxy_close(&h->proxy);
	return code;
}

static enum exit_code serve(struct hostile *h)
{
	struct proxy *p = &h->proxy;
	enum exit_code code;
	int err = loop_new(&p->loop);

	if (err < 0)
		return fail("cannot start", strerror(-err));
	loop_enter(p->loop);
	p->rules.given_ms = loop_now(p->loop);
	deeds_init(&p->deeds, loop_now(p->loop));
	err = resolver_new(&p->resolver, p->loop, NULL);
	code = err < 0 ? fail("cannot resolve names", strerror(-err)) : run(h);
	resolver_free(p->resolver);
	loop_free(p->loop);
	deeds_fini(&p->deeds);
	return code;
}

static enum exit_code begin(const struct cmdline *cmd)
{
	struct hostile *h = mem_zalloc(sizeof(*h));
	enum exit_code code;

	if (!h)
		return fail("cannot start", "out of memory");
	h->cmd = cmd;
	code = cmdline_apply(cmd, &h->proxy);
	if (code == EXIT_STOPPED && cmd->check)
		printf("the rules are right: %zu\n", h->proxy.rules.count);
	else if (code == EXIT_STOPPED)
		code = serve(h);
	rules_fini(&h->proxy.rules);
	mem_free(h);
	return code;
}

int main(int argc, char **argv)
{
	struct cmdline cmd;

	if (!cmdline_parse(&cmd, argc, argv))
		return EXIT_USAGE;
	if (cmd.help) {
		cmdline_print_help();
		return EXIT_STOPPED;
	}
	if (cmd.version) {
		printf("sockjs-hostile %s\n", SOCKJS_VERSION);
		return EXIT_STOPPED;
	}
	return begin(&cmd);
}
