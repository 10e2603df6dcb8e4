/*
 * fakes/gateway.c - see gateway.h.
 */
#include "fakes/gateway.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct sockjs_options *make_options(const char *const *pairs)
{
	struct sockjs_options *o = sockjs_options_new();

	ck_assert_ptr_nonnull(o);
	for (; pairs && *pairs; pairs += 2)
		ck_assert_msg(
		    sockjs_options_set(o, pairs[0], pairs[1]) == 0, "%s", sockjs_options_error(o));
	return o;
}

void gateway_init(struct gateway *g, const char *const *options)
{
	struct sockjs_options *o = make_options(options);

	memset(g, 0, sizeof(*g));
	g->server = sockjs_server_new(o);
	ck_assert_ptr_nonnull(g->server);
	sockjs_options_free(o);
}

void gateway_add(struct gateway *g, const char *prefix, const struct sockjs_callbacks *callbacks,
    void *app, const char *const *options)
{
	struct sockjs_options *o = make_options(options);

	ck_assert_msg(sockjs_server_add(g->server, prefix, callbacks, app, o) == 0, "%s",
	    sockjs_server_error(g->server));
	sockjs_options_free(o);
}

unsigned gateway_listen(struct gateway *g, const char *const *options)
{
	struct sockjs_options *o = make_options(options);
	size_t n = 0;

	ck_assert_msg(sockjs_server_listen(g->server, "127.0.0.1:0", o) == 0, "%s",
	    sockjs_server_error(g->server));
	sockjs_options_free(o);
	while (sockjs_server_url(g->server, n + 1))
		n++;
	return (unsigned)atoi(strrchr(sockjs_server_url(g->server, n), ':') + 1);
}

static void *run(void *arg)
{
	struct gateway *g = arg;

	g->result = sockjs_server_run(g->server);
	return NULL;
}

void gateway_start(struct gateway *g)
{
	g->port = gateway_listen(g, NULL);
	ck_assert_int_eq(pthread_create(&g->thread, NULL, run, g), 0);
	g->runs = true;
}

void gateway_wait(struct gateway *g)
{
	pthread_join(g->thread, NULL);
	g->runs = false;
	ck_assert_int_eq(g->result, 0);
}

void gateway_fini(struct gateway *g)
{
	if (g->runs) {
		sockjs_server_stop(g->server);
		sockjs_server_stop(g->server);
		gateway_wait(g);
	}
	sockjs_server_free(g->server);
}
