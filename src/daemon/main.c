/*
 * daemon/main.c - sockjsd: the order of start and stop, and nothing else.
 *
 * Configure, bind, drop privileges, open what is written, run until a signal says
 * stop. Whatever goes wrong before the reactors run is said in one sentence on
 * standard error.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "daemon/assets.h"
#include "daemon/cmdline.h"
#include "daemon/config.h"
#include "daemon/config_error.h"
#include "daemon/ctl.h"
#include "daemon/hash_password.h"
#include "daemon/host.h"
#include "daemon/notify.h"
#include "daemon/privs.h"
#include "daemon/publish.h"
#include "daemon/signals.h"
#include "daemon/supervise.h"
#include "server/internal.h"
#include "sockjs.h"

#define LONGEST_KEY 128 /* octets of a path within an endpoint */

struct daemon {
	struct config config;
	struct sockjs_server *server;
	struct running_app *apps; /* one for each endpoint */
	bool is_supervised;
};

static int complain(const char *what, const char *sentence)
{
	fprintf(stderr, "sockjsd: %s%s%s\n", what, *what ? ": " : "", sentence);
	return -1;
}

/* --- configuration ---------------------------------------------------------------------------- */

/* What the configuration is from, for messages. */
static const char *source_of(const struct cmdline *cmd)
{
	return cmd->file ? cmd->file : cmd->upstream ? "--upstream" : "--demo";
}

/* 0, or the error whose sentence is in c->error. */
static int load(struct config *c, const struct cmdline *cmd)
{
	if (cmd->file)
		return config_read_file(c, cmd->file);
	return cmd->upstream ? config_upstream(c, cmd->upstream) : config_demo(c);
}

/* What nobody has named is looked for. */
static int find_assets(struct config *c, const struct cmdline *cmd)
{
	int err = cmd->demo ? assets_find_pages(c) : 0;

	if (err == 0 && !cmd->file)
		err = assets_find_library(c);
	return err < 0 ? config_no_memory(c) : 0;
}

static int read_config(struct config *c, const struct cmdline *cmd)
{
	int err = load(c, cmd);

	if (err < 0) {
		/* what is said of a file begins with its name */
		complain(cmd->file ? "" : source_of(cmd), c->error);
		return err;
	}
	c->source = source_of(cmd);
	if ((err = cmdline_apply(cmd, c)) == 0) {
		log_set_level(c->log_level);
		log_set_format(c->log_format);
		err = find_assets(c, cmd);
	}
	if (err == 0)
		err = config_check(c);
	if (err < 0)
		complain("", c->error);
	return err;
}

static int print_config(const struct config *c)
{
	struct buf text = BUF_INIT;
	int err = config_print(c, &text);

	if (err == 0)
		fwrite(buf_data(&text), 1, buf_len(&text), stdout);
	buf_fini(&text);
	if (err == 0 && fflush(stdout) == 0)
		return EXIT_STOPPED;
	complain("cannot print the configuration", strerror(err < 0 ? -err : errno));
	return EXIT_RUNNING;
}

/* --- start ------------------------------------------------------------------------------------ */

/* A wrong value is the configuration's fault; a port that is taken may be free at the next try, a
 * name may be known and a directory be there. */
static enum exit_code exit_code_of(int err)
{
	return err == -EAGAIN || err == -ENOMEM ? EXIT_RUNNING : EXIT_USAGE;
}

/* Of what the kernel says little is written in the configuration. `key`: NULL for an address of the
 * command line, with which the sentence begins anyway. */
static enum exit_code cannot_listen(struct daemon *d, const char *key, int err)
{
	const char *sentence = sockjs_server_error(d->server);

	if (key) {
		config_blame(&d->config, err, key, "%s", sentence);
		sentence = d->config.error;
	}
	complain("", sentence);
	return err == -EINVAL ? EXIT_USAGE : EXIT_RUNNING;
}

static enum exit_code cannot_take_commands(struct daemon *d, int err)
{
	config_blame(&d->config, err, "internal.token_file", "%s", sockjs_server_error(d->server));
	complain("", d->config.error);
	return err == -ENOMEM ? EXIT_RUNNING : EXIT_USAGE;
}

static enum exit_code bind_all(struct daemon *d)
{
	const struct config *c = &d->config;
	char key[CONFIG_WHERE];
	int err;

	for (size_t i = 0; i < c->listener_count; i++) {
		const struct config_listener *l = &c->listeners[i];

		err = sockjs_server_listen(d->server, l->address, &l->options);
		config_listener_path(c, i, key);
		if (err < 0)
			return cannot_listen(d, c->listeners_given ? NULL : key, err);
	}
	if (c->internal && (err = server_take_commands(d->server)) < 0)
		return cannot_take_commands(d, err);
	err = c->internal ? server_listen_internal(d->server, c->internal) : 0;
	return err < 0 ? cannot_listen(d, c->internal_given ? NULL : "internal.listen", err)
	               : EXIT_STOPPED;
}

/* The sentence may begin with a key of the endpoint, whose path this completes. */
static enum exit_code blame_endpoint(struct daemon *d, size_t i, int err, const char *why)
{
	char key[CONFIG_WHERE + LONGEST_KEY];
	size_t n = strspn(why, "abcdefghijklmnopqrstuvwxyz0123456789_.[]");

	if (n > 0 && n < LONGEST_KEY && strncmp(why + n, ": ", 2) == 0) {
		snprintf(key, sizeof(key), "endpoints[%zu].%.*s", i, (int)n, why);
		why += n + 2;
	} else {
		snprintf(key, sizeof(key), "endpoints[%zu]", i);
	}
	config_blame(&d->config, err, key, "%s", *why ? why : strerror(-err));
	complain("", d->config.error);
	return exit_code_of(err);
}

static enum exit_code add_endpoint(struct daemon *d, size_t i)
{
	struct config_endpoint *e = &d->config.endpoints[i];
	const struct sockjs_callbacks *callbacks;
	char why[512] = "";
	void *arg;
	int err = app_start(&d->apps[i], e->app, d->server, &e->options, why, sizeof(why));

	if (err < 0)
		return blame_endpoint(d, i, err, why);
	callbacks = app_callbacks(&d->apps[i], &arg);
	err = sockjs_server_add(d->server, e->prefix, callbacks, arg, &e->options);
	if (err < 0)
		return blame_endpoint(d, i, err, sockjs_server_error(d->server));
	return EXIT_STOPPED;
}

static enum exit_code add_all(struct daemon *d)
{
	enum exit_code code = EXIT_STOPPED;

	d->apps = mem_zalloc(d->config.endpoint_count * sizeof(*d->apps));
	if (!d->apps)
		return EXIT_RUNNING;
	for (size_t i = 0; i < d->config.endpoint_count && code == EXIT_STOPPED; i++)
		code = add_endpoint(d, i);
	return code;
}

/* By who runs, for it is he who writes later. */
static enum exit_code open_all(struct daemon *d)
{
	char why[512] = "";
	int err;

	if ((err = server_open_logs(d->server)) < 0) {
		complain("", sockjs_server_error(d->server));
		return exit_code_of(err);
	}
	for (size_t i = 0; i < d->config.endpoint_count; i++) {
		err = app_open(&d->apps[i], why, sizeof(why));
		if (err < 0)
			return blame_endpoint(d, i, err, why);
	}
	return EXIT_STOPPED;
}

static enum exit_code start(struct daemon *d)
{
	enum exit_code code;

	privs_raise_descriptors(&d->config);
	if (!(d->server = sockjs_server_new(&d->config.options))) {
		complain("", "out of memory");
		return EXIT_RUNNING;
	}
	if ((code = add_all(d)) != EXIT_STOPPED || (code = bind_all(d)) != EXIT_STOPPED)
		return code;
	if (notify_open() < 0)
		log_warn("cannot reach the service manager at $NOTIFY_SOCKET");
	if (privs_drop(&d->config) < 0) {
		complain("", d->config.error);
		return EXIT_RUNNING;
	}
	return open_all(d);
}

/* --- run and stop ----------------------------------------------------------------- */

/* Once for whoever started it, once for whoever reads the log later. */
static void say_addresses(const struct daemon *d)
{
	const char *url;

	for (size_t i = 0; (url = sockjs_server_url(d->server, i)) != NULL; i++) {
		printf("listening on %s\n", url);
		log_info("listening", LOG_STR("url", url));
	}
	if ((url = server_internal_url(d->server)) != NULL) {
		printf("internal on %s\n", url);
		log_info("internal address", LOG_STR("url", url));
	}
	fflush(stdout);
}

static void say_ready(const struct daemon *d)
{
	const struct server_options *o = &d->config.options.server;

	log_info("started", LOG_STR("version", sockjs_version()),
	    LOG_INT("threads", server_reactors(d->server)),
	    LOG_INT("endpoints", d->config.endpoint_count),
	    LOG_INT("connections", o->limit_connections),
	    LOG_INT("connections_per_address", o->limit_connections_per_address),
	    LOG_INT("sessions_per_address", o->limit_sessions_per_address),
	    LOG_INT("header_bytes", o->limit_header_bytes),
	    LOG_INT("descriptors", privs_descriptors()));
	say_addresses(d);
	notify("READY=1");
}

static uint64_t longest_stop_ms(const struct server_options *o)
{
	return o->drain_delay_ms + o->drain_ms + o->shutdown_timeout_ms;
}

/* As it starts, and after each signal. */
static void on_wake(void *arg)
{
	struct daemon *d = arg;

	signals_tell();
	if (!d->is_supervised)
		supervise_begin(d->server);
	d->is_supervised = true;
}

static enum exit_code run(struct daemon *d)
{
	uint64_t begun = clock_now();
	int err;

	server_on_wake(d->server, on_wake, d);
	host_attach(d->server, &d->config);
	signals_watch(d->server, longest_stop_ms(&d->config.options.server));
	say_ready(d);
	err = sockjs_server_run(d->server);
	signals_forget();
	log_info("stopped", LOG_INT("uptime_s", (clock_now() - begun) / 1000));
	if (err < 0)
		complain("cannot run", sockjs_server_error(d->server));
	return err < 0 ? EXIT_RUNNING : EXIT_STOPPED;
}

static void stop(struct daemon *d)
{
	for (size_t i = 0; d->apps && i < d->config.endpoint_count; i++)
		app_stop(&d->apps[i]);
	mem_free(d->apps);
	if (d->server)
		sockjs_server_free(d->server);
	notify_close();
}

static enum exit_code serve(struct daemon *d)
{
	enum exit_code code;

	signals_begin();
	code = start(d);
	if (code == EXIT_STOPPED)
		code = run(d);
	stop(d);
	return code;
}

static enum exit_code check_endpoints(struct daemon *d)
{
	char why[512] = "";
	int err;

	if (!(d->server = sockjs_server_new(&d->config.options))) {
		complain("", "out of memory");
		return EXIT_RUNNING;
	}
	for (size_t i = 0; i < d->config.endpoint_count; i++) {
		const struct config_endpoint *e = &d->config.endpoints[i];

		err = app_check(e->app, d->server, &e->options, why, sizeof(why));
		if (err < 0)
			return blame_endpoint(d, i, err, why);
	}
	return EXIT_STOPPED;
}

static enum exit_code check(struct daemon *d)
{
	enum exit_code code = check_endpoints(d);
	int err;

	stop(d);
	if (code != EXIT_STOPPED)
		return code;
	if ((err = config_try(&d->config)) < 0) {
		complain("", d->config.error);
		return exit_code_of(err);
	}
	printf("%s: the configuration is valid\n", d->config.source);
	return EXIT_STOPPED;
}

static enum exit_code obey(struct daemon *d, const struct cmdline *cmd)
{
	int err = read_config(&d->config, cmd);

	if (err < 0)
		return exit_code_of(err);
	if (cmd->print_config)
		return print_config(&d->config);
	return cmd->check_config ? check(d) : serve(d);
}

int main(int argc, char **argv)
{
	struct daemon d = { 0 };
	struct cmdline cmd;
	enum exit_code code;

	if (argc > 1 && strcmp(argv[1], "publish") == 0)
		return publish(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "ctl") == 0)
		return ctl(argc - 1, argv + 1);
	if (!cmdline_parse(&cmd, argc, argv))
		return EXIT_USAGE;
	if (cmd.help || cmd.version) {
		(cmd.help ? cmdline_print_help : cmdline_print_version)();
		return EXIT_STOPPED;
	}
	if (cmd.hash_password)
		return hash_password();
	log_find_journal();
	if (config_init(&d.config) < 0) {
		complain("", "out of memory");
		return EXIT_RUNNING;
	}
	code = obey(&d, &cmd);
	config_fini(&d.config);
	return code;
}
