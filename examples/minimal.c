/*
 * examples/minimal.c - an echo server in thirty lines.
 *
 *	./examples/minimal [ADDRESS]
 *
 * then in a browser: new SockJS("http://127.0.0.1:8081/echo").
 */
#include <signal.h>
#include <stdio.h>
#include <sockjs.h>

static struct sockjs_server *server;

static void on_signal(int signo)
{
	(void)signo;
	sockjs_server_stop(server);
}

static void on_message(struct sockjs_session *s, const struct sockjs_message *m, void *app)
{
	(void)app;
	if (sockjs_send(s, m->data, m->len) == SOCKJS_FULL)
		sockjs_pause(s); /* it reads more slowly than it writes: wait for it */
}

static void on_writable(struct sockjs_session *s, void *app)
{
	(void)app;
	sockjs_resume(s);
}

int main(int argc, char **argv)
{
	struct sockjs_callbacks echo = { .message = on_message, .writable = on_writable };
	struct sockjs_options *options = sockjs_options_new();
	int err;

	/* Any page may connect; a service on the Internet names those that may. */
	if (!options || sockjs_options_set(options, "allowed_origins", "*") < 0 ||
	    !(server = sockjs_server_new(options)))
		return 1;
	sockjs_options_free(options);
	if (sockjs_server_add(server, "/echo", &echo, NULL, NULL) < 0 ||
	    sockjs_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8081", NULL) < 0) {
		fprintf(stderr, "%s\n", sockjs_server_error(server));
		return 1;
	}
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	printf("listening on %s\n", sockjs_server_url(server, 0));
	fflush(stdout);
	err = sockjs_server_run(server);
	sockjs_server_free(server);
	return err < 0;
}
