/*
 * tests/unit/stomp_fixture.c - see stomp_fixture.h.
 */
#include "stomp_fixture.h"

#include <check.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct gateway gateway;
struct sockjs_broker *broker;
struct raw_client a, b;

/* --- the story: what the application was told, in order ------------------------------ */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
char story[4096];

void tell(const char *format, ...)
{
	va_list ap;
	size_t n;

	pthread_mutex_lock(&lock);
	n = strlen(story);
	va_start(ap, format);
	vsnprintf(story + n, sizeof(story) - n, format, ap);
	va_end(ap);
	pthread_mutex_unlock(&lock);
}

/* Waits until the story is this, and forgets it. */
void hear(const char *text)
{
	bool good = false;

	for (int i = 0; i < 5000 && !good; i++) {
		pthread_mutex_lock(&lock);
		good = strcmp(story, text) == 0;
		pthread_mutex_unlock(&lock);
		if (!good)
			usleep(1000);
	}
	pthread_mutex_lock(&lock);
	ck_assert_str_eq(story, text);
	story[0] = '\0';
	pthread_mutex_unlock(&lock);
}

void hear_of(const char *text)
{
	bool good = false;

	for (int i = 0; i < 5000 && !good; i++) {
		pthread_mutex_lock(&lock);
		good = strstr(story, text) != NULL;
		if (good)
			story[0] = '\0';
		pthread_mutex_unlock(&lock);
		if (!good)
			usleep(1000);
	}
	ck_assert_msg(good, "%s", text);
}

/* --- the world ------------------------------------------------------------------------- */

void prepare(const char *const *broker_options)
{
	static const char *const two_threads[] = { "threads", "2", NULL };
	struct sockjs_options *o = sockjs_options_new();
	char why[200] = "";

	story[0] = '\0';
	gateway_init(&gateway, two_threads);
	sockjs_options_set(o, "stomp.access", "\"open\"");
	for (; broker_options && broker_options[0]; broker_options += 2)
		ck_assert_int_eq(sockjs_options_set(o, broker_options[0], broker_options[1]), 0);
	ck_assert_msg(
	    sockjs_broker_new(&broker, gateway.server, o, why, sizeof(why)) == 0, "%s", why);
	sockjs_options_free(o);
}

void run(const char *const *endpoint_options)
{
	gateway_add(&gateway, "/stomp", sockjs_broker_callbacks(), broker, endpoint_options);
	gateway_start(&gateway);
}

void start_with_hooks(const struct sockjs_broker_hooks *hooks)
{
	prepare(NULL);
	if (hooks)
		sockjs_broker_set_hooks(broker, hooks, story);
	run(NULL);
}

void teardown(void)
{
	raw_close(&a);
	raw_close(&b);
	if (gateway.runs) {
		sockjs_server_stop(gateway.server);
		gateway_wait(&gateway);
	}
	sockjs_broker_free(broker);
	gateway_fini(&gateway);
}

/* '@' stands for NUL. */
void say(struct raw_client *c, const char *text)
{
	char *copy = strdup(text);
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if (copy[i] == '@')
			copy[i] = '\0';
	raw_ws_send(c, 1, copy, n);
	free(copy);
}

/* The next message is one frame, and begins so. */
void expect_frame(struct raw_client *c, const char *beginning)
{
	char frame[4096];
	unsigned opcode;
	size_t n = raw_ws_next(c, &opcode, frame, sizeof(frame));

	ck_assert_uint_ge(n, strlen(beginning));
	ck_assert_msg(strncmp(frame, beginning, strlen(beginning)) == 0, "\"%.*s\" and not \"%s\"",
	    (int)n, frame, beginning);
	ck_assert_int_eq(frame[n - 1], 0);
}

void come(struct raw_client *c, const char *headers)
{
	char text[300];

	raw_open(c, gateway.port);
	raw_ws_open(c, "/stomp");
	snprintf(text, sizeof(text), "CONNECT\naccept-version:1.2\n%s\n@", headers);
	say(c, text);
}

void come_in(struct raw_client *c, const char *headers)
{
	come(c, headers);
	expect_frame(c, "CONNECTED\n");
}

void subscribe(struct raw_client *c, const char *id, const char *destination)
{
	char text[300];

	snprintf(text, sizeof(text), "SUBSCRIBE\nid:%s\ndestination:%s\nreceipt:%s\n\n@", id,
	    destination, id);
	say(c, text);
	snprintf(text, sizeof(text), "RECEIPT\nreceipt-id:%s\n\n", id);
	expect_frame(c, text);
}

int publish(const char *destination, const char *body)
{
	struct sockjs_header header = { "kind", "test:1" };
	struct sockjs_publication p = { .destination = destination,
		.headers = &header,
		.header_count = 1,
		.body = body,
		.len = strlen(body) };

	return sockjs_broker_publish(broker, &p);
}
