/*
 * examples/pubsub.c - publish-subscribe with a word of the application's own.
 *
 *	./examples/pubsub [ADDRESS]
 *
 * Any STOMP client (@stomp/stompjs over SockJS or WebSocket) subscribes to /topic/... at
 * http://ADDRESS/stomp and sends there. What it sends to /app/greet comes to greet() below, which
 * answers the sender alone, on /user/queue/greetings, and tells all others on /topic/guests.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sockjs.h>

static struct sockjs_server *server;
static struct sockjs_broker *broker;

static void publish(const char *destination, const char *text)
{
	struct sockjs_publication p = {
		.destination = destination, .body = text, .len = strlen(text)
	};

	sockjs_broker_publish(broker, &p);
}

/* In the sender's reactor; what it returns other than 0 becomes an ERROR for the sender. */
static int greet(struct sockjs_client *from, const struct sockjs_publication *p, void *arg)
{
	char name[32], destination[80], text[200];

	(void)arg;
	if (p->len == 0 || p->len > 100)
		return -EINVAL;
	snprintf(text, sizeof(text), "Hello, %.*s!", (int)p->len, p->body);
	snprintf(destination, sizeof(destination), "/user/%s/queue/greetings",
	    sockjs_client_name(from, name));
	publish(destination, text);
	snprintf(text, sizeof(text), "%.*s is here.", (int)p->len, p->body);
	publish("/topic/guests", text);
	return 0;
}

static void on_connected(struct sockjs_client *c, void *arg)
{
	(void)arg;
	printf("a client has connected by %s\n", sockjs_transport(sockjs_client_session(c)));
	fflush(stdout);
}

static void on_signal(int signal)
{
	(void)signal;
	sockjs_server_stop(server);
}

static int set_up(const char *address, char *why, size_t size)
{
	static const struct sockjs_broker_hooks hooks = { .connected = on_connected };
	struct sockjs_options *o = sockjs_options_new();
	int err;

	sockjs_options_set(o, "stomp.access", "\"open\"");
	err = sockjs_broker_new(&broker, server, o, why, size);
	sockjs_options_free(o);
	if (err < 0)
		return err;
	sockjs_broker_set_hooks(broker, &hooks, NULL);
	sockjs_broker_handle(broker, "/app/greet", greet, NULL);
	o = sockjs_options_new();
	sockjs_options_set(o, "allowed_origins", "*"); /* or where your page is */
	err = sockjs_server_add(server, "/stomp", sockjs_broker_callbacks(), broker, o);
	sockjs_options_free(o);
	if (err == 0)
		err = sockjs_server_listen(server, address, NULL);
	if (err < 0)
		snprintf(why, size, "%s", sockjs_server_error(server));
	return err;
}

int main(int argc, char **argv)
{
	char why[512] = "";
	int err = 0;

	server = sockjs_server_new(NULL);
	if (!server ||
	    (err = set_up(argc > 1 ? argv[1] : "127.0.0.1:8081", why, sizeof(why))) < 0) {
		fprintf(stderr, "%s\n", why[0] ? why : "out of memory");
		return 1;
	}
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	printf("listening on %s\n", sockjs_server_url(server, 0));
	fflush(stdout);
	err = sockjs_server_run(server);
	sockjs_broker_free(broker);
	sockjs_server_free(server);
	return err < 0;
}
