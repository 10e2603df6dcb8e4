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
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "daemon/assets.h"
#include "daemon/cmdline.h"
#include "daemon/ctl.h"
#include "daemon/config_error.h"
#include "daemon/deployment.h"
#include "daemon/doctor_command.h"
#include "daemon/hash_password.h"
#include "daemon/health.h"
#include "daemon/host.h"
#include "daemon/notify.h"
#include "daemon/privs.h"
#include "daemon/publish.h"
#include "daemon/reload.h"
#include "daemon/restart.h"
#include "daemon/signals.h"
#include "daemon/supervise.h"
#include "net/inherited.h"
#include "server/internal.h"
#include "server/reload.h"
#include "sockjs.h"

struct daemon {
	const struct cmdline *cmd;
	struct sockjs_server *server;
	struct running_apps apps;
	struct deployment *first; /* until the reloader has it */
	struct reloader *reloader;
	struct host host;
	struct restarter *restarter;
	char **argv;
	bool is_ready; /* and was said to be */
};

static int complain(const char *what, const char *sentence)
{
	fprintf(stderr, "sockjsd: %s%s%s\n", what, *what ? ": " : "", sentence);
	return -1;
}

static enum exit_code no_memory(void)
{
	complain("", "out of memory");
	return EXIT_RUNNING;
}

/* --- configuration ---------------------------------------------------------------------------- */

static int read_config(struct deployment **d, const struct cmdline *cmd)
{
	int err = deployment_read(d, cmd, true);

	if (err < 0)
		complain("", *d ? (*d)->config.error : "out of memory");
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

static enum exit_code failed(const struct deployment *first, bool is_usage)
{
	complain("", first->config.error);
	return is_usage ? EXIT_USAGE : EXIT_RUNNING;
}

/* With the gateways that the same engine joins. */
static enum exit_code join_peers(struct daemon *d)
{
	struct config *c = &d->first->config;
	int err = c->engine && c->options.server.peers_sessions ? sockjs_server_join(d->server, c->engine) : 0;

	if (err == 0)
		return EXIT_STOPPED;
	config_fail(c, err, "%s%s%s", c->source ? c->source : "", c->source ? ": " : "",
	    sockjs_server_error(d->server));
	return failed(d->first, deployment_is_lasting(err));
}

static enum exit_code build(struct daemon *d)
{
	struct server_config *config = reload_elder(d->server);
	bool is_usage = false;
	int err = deployment_build(d->first, &d->apps, config, NULL, NULL, &is_usage);

	server_config_unref(config);
	return err < 0 ? failed(d->first, is_usage) : EXIT_STOPPED;
}

/* By who runs, for it is he who writes later. */
static enum exit_code open_all(struct daemon *d)
{
	struct server_config *config = reload_elder(d->server);
	bool is_usage = false;
	int err = deployment_open(d->first, config, NULL, &is_usage);

	server_config_unref(config);
	return err < 0 ? failed(d->first, is_usage) : EXIT_STOPPED;
}

/* What the page for operators loads. It can do without. */
static void offer_client(struct daemon *d)
{
	char path[PATH_MAX];

	if (assets_know_client(path) && server_set_client(d->server, path) < 0)
		log_warn("out of memory: the dashboard does without a client library");
}

/* If another process has started this one for that. */
static enum exit_code take_over(struct daemon *d)
{
	int fd = restart_inherited();

	if (fd < 0 || sockjs_server_take_over(d->server, fd) == 0)
		return EXIT_STOPPED;
	complain("cannot take over", sockjs_server_error(d->server));
	return EXIT_RUNNING;
}

static enum exit_code start(struct daemon *d)
{
	struct config *c = &d->first->config;
	enum exit_code code;

	privs_raise_descriptors(c);
	offer_client(d);
	if ((code = take_over(d)) != EXIT_STOPPED)
		return code;
	if ((code = build(d)) != EXIT_STOPPED || (code = join_peers(d)) != EXIT_STOPPED)
		return code;
	if (notify_open() < 0)
		log_warn("cannot reach the service manager at $NOTIFY_SOCKET");
	if (privs_drop(c) < 0)
		return failed(d->first, false);
	if ((code = open_all(d)) != EXIT_STOPPED)
		return code;
	deployment_taken(d->first, NULL);
	d->reloader = reloader_new(d->server, &d->apps, d->cmd, d->first);
	if (!d->reloader)
		return no_memory();
	d->first = NULL;
	d->restarter = restarter_new(d->server, d->argv);
	return d->restarter ? EXIT_STOPPED : no_memory();
}

/* --- run and stop ----------------------------------------------------------------- */

static const struct server_options *options_of(const struct daemon *d)
{
	return &reloader_now(d->reloader)->config.options.server;
}

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

/* Who connects there waits for nobody. */
static void say_unused(void)
{
	char text[400];

	if (inherited_unused(inherited_here(), text, sizeof(text)))
		log_warn("no address takes connections from sockets that were inherited",
		    LOG_STR("sockets", text));
}

static void say_ready(const struct daemon *d)
{
	const struct server_options *o = options_of(d);

	log_info("started", LOG_STR("version", sockjs_version()),
	    LOG_INT("threads", server_reactors(d->server)),
	    LOG_INT("endpoints", reloader_now(d->reloader)->config.endpoint_count),
	    LOG_INT("connections", o->limit_connections),
	    LOG_INT("connections_per_address", o->limit_connections_per_address),
	    LOG_INT("sessions_per_address", o->limit_sessions_per_address),
	    LOG_INT("header_bytes", o->limit_header_bytes),
	    LOG_INT("descriptors", privs_descriptors()));
	say_addresses(d);
	say_unused();
	notify("READY=1");
}

/* As it starts, and after each signal. */
static void on_wake(void *arg)
{
	struct daemon *d = arg;

	struct signals_wish wish = signals_tell();

	if (!d->is_ready) {
		say_ready(d);
		supervise_begin(d->server);
	}
	d->is_ready = true;
	if (wish.restart)
		restarter_begin(d->restarter, NULL);
	else if (wish.reload)
		reloader_begin(d->reloader, NULL);
}

/* Another process has, or keeps, what this one has: nothing of that may be touched. */
__attribute__((noreturn)) static void leave_all(const struct daemon *d, int err)
{
	if (err < 0)
		complain("cannot run", sockjs_server_error(d->server));
	fflush(NULL);
	_exit(err < 0 ? EXIT_RUNNING : EXIT_STOPPED);
}

static enum exit_code run(struct daemon *d)
{
	uint64_t begun = clock_now();
	int err;

	d->host = (struct host){ d->reloader, d->restarter, &d->apps };
	server_on_wake(d->server, on_wake, d);
	host_attach(&d->host, d->server);
	signals_watch(d->server, config_longest_stop_ms(&reloader_now(d->reloader)->config));
	err = sockjs_server_run(d->server);
	if (err == SOCKJS_HANDED_OVER || err == -ECANCELED)
		leave_all(d, err);
	signals_forget();
	log_info("stopped", LOG_INT("uptime_s", (clock_now() - begun) / 1000));
	if (err < 0)
		complain("cannot run", sockjs_server_error(d->server));
	return err < 0 ? EXIT_RUNNING : EXIT_STOPPED;
}

/* Applications stop before the server is freed, and are freed after it. */
static void stop(struct daemon *d)
{
	reloader_join(d->reloader);
	running_apps_stop(&d->apps);
	reloader_free(d->reloader);
	restarter_free(d->restarter);
	deployment_free(d->first);
	sockjs_server_free(d->server);
	running_apps_fini(&d->apps);
	notify_close();
}

static enum exit_code serve(struct daemon *d)
{
	enum exit_code code;

	signals_begin();
	code = start(d);
	if (code == EXIT_STOPPED)
		code = run(d);
	return code;
}

static enum exit_code check(struct daemon *d)
{
	bool is_usage = false;
	int err;

	if (deployment_check(d->first, d->server, &is_usage) < 0)
		return failed(d->first, is_usage);
	if ((err = config_try(&d->first->config)) < 0) {
		complain("", d->first->config.error);
		return deployment_is_lasting(err) ? EXIT_USAGE : EXIT_RUNNING;
	}
	printf("%s: the configuration is valid\n", d->first->config.source);
	return EXIT_STOPPED;
}

static enum exit_code with_server(struct daemon *d)
{
	enum exit_code code;

	d->server = sockjs_server_new(&d->first->config.options);
	if (!d->server)
		return no_memory();
	running_apps_init(&d->apps, d->server);
	code = d->cmd->check_config ? check(d) : serve(d);
	stop(d);
	return code;
}

static enum exit_code obey(const struct cmdline *cmd, char **argv)
{
	struct daemon d = { .cmd = cmd, .argv = argv };
	enum exit_code code;
	int err = read_config(&d.first, cmd);

	if (err < 0)
		code = deployment_is_lasting(err) ? EXIT_USAGE : EXIT_RUNNING;
	else if (cmd->print_config)
		code = print_config(&d.first->config);
	else
		return with_server(&d);
	deployment_free(d.first);
	return code;
}

int main(int argc, char **argv)
{
	struct cmdline cmd;

	if (argc > 1 && strcmp(argv[1], "publish") == 0)
		return publish(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "ctl") == 0)
		return ctl(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "health") == 0)
		return health(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "doctor") == 0)
		return doctor_command(argc - 1, argv + 1);
	if (!cmdline_parse(&cmd, argc, argv))
		return EXIT_USAGE;
	if (cmd.help || cmd.version) {
		(cmd.help ? cmdline_print_help : cmdline_print_version)();
		return EXIT_STOPPED;
	}
	if (cmd.hash_password)
		return hash_password();
	log_find_journal();
	if (!inherited_here())
		return no_memory();
	return obey(&cmd, argv);
}
