/*
 * http/http_server.c - a reactor's HTTP: who comes, whose turn it is, the end. See http_server.h.
 */
#include "http/http_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/random.h"
#include "http/http_private.h"

/* --- turns ------------------------------------------------------------------------------------ */

/* Those for whom there is no time go first in the next turn. Answers of many may go out together. */
static void run_turns(struct http_server *server)
{
	struct budget *budget = loop_budget(server->loop);
	struct list now, *node;
	bool many;

	list_init(&now);
	list_splice(&now, &server->turns);
	many = list_has(&now, STREAM_BATCH_FEW);
	if (many)
		stream_batch_expect(server->loop, true);
	while (!budget_is_spent(budget) && (node = list_first(&now))) {
		struct http_turn *turn = container_of(node, struct http_turn, node);

		list_remove(node);
		list_init(node);
		turn->fn(turn);
	}
	if (many)
		stream_batch_expect(server->loop, false);
	list_splice(&now, &server->turns);
	list_splice(&server->turns, &now);
	if (!list_empty(&server->turns))
		loop_want(server->loop, LOOP_STAGE_HTTP);
}

static void run(struct loop *loop, void *arg)
{
	struct http_server *server = arg;

	(void)loop;
	if (!list_empty(&server->turns))
		run_turns(server);
	if (server->service)
		server->service->run(server->service);
}

bool http_server_is_draining(const struct http_server *server)
{
	return server->draining;
}

struct http_service *http_server_service(const struct http_server *server)
{
	return server->service;
}

void http_server_set_service(struct http_server *server, struct http_service *service)
{
	server->service = service;
}

void http_server_hold(struct http_server *server, int connections)
{
	server->counters.connections += (uint64_t)connections;
}

/* --- coming ----------------------------------------------------------------------------------- */

void http_server_add(struct http_server *server, int fd, const struct addr *peer,
    struct tls_context *tls, const void *listener, struct quota_row *visitor)
{
	struct stream s;

	stream_init(&s, server->loop, fd, NULL);
	s.visitor = visitor;
	http_conn_new(server, &s, peer, tls, listener);
}

/* --- life ------------------------------------------------------------------------------------- */

int http_server_check_library(char *why, size_t why_size)
{
	struct http_parser *p;
	int err = http_parser_new(&p, 4096);

	if (err == 0)
		http_parser_free(p);
	else if (err == -ENOTSUP)
		snprintf(why, why_size,
		    "libmicrohttpd %s does not answer a request in one run; use a version from "
		    "0.9.75 to 1.0",
		    MHD_get_version());
	else
		snprintf(why, why_size, "cannot start libmicrohttpd: %s", strerror(-err));
	return err;
}

int http_server_new(struct http_server **out, struct loop *loop, const struct http_limits *limits,
    const struct http_handler *handler, void *arg)
{
	struct http_server *server = mem_zalloc(sizeof(*server));
	int err;

	if (!server)
		return -ENOMEM;
	err = http_parser_new(&server->parser, limits->header_bytes);
	if (err < 0) {
		mem_free(server);
		return err;
	}
	server->loop = loop;
	server->limits = limits;
	server->handler = handler;
	server->arg = arg;
	server->why = HTTP_REFUSAL_ROWS;
	list_init(&server->conns);
	list_init(&server->lingering);
	list_init(&server->turns);
	list_init(&server->waiting);
	random_bytes(&server->memo_key, sizeof(server->memo_key));
	loop_set_hook(loop, LOOP_STAGE_HTTP, run, server);
	*out = server;
	return 0;
}

int http_server_configure(struct http_server *server, const struct http_limits *limits,
    const struct http_handler *handler)
{
	bool is_longer = limits->header_bytes > server->limits->header_bytes;
	struct http_parser *parser = NULL;
	int err = is_longer ? http_parser_new(&parser, limits->header_bytes) : 0;

	server->limits = limits;
	server->handler = handler;
	if (parser) {
		http_parser_free(server->parser);
		server->parser = parser;
	}
	return err;
}

void http_server_free(struct http_server *server)
{
	struct list *node;

	if (!server)
		return;
	if (server->service)
		server->service->end(server->service);
	while ((node = list_first(&server->conns)))
		http_conn_end(container_of(node, struct http_conn, node));
	http_again_end_all(server);
	http_linger_end_all(server);
	loop_set_hook(server->loop, LOOP_STAGE_HTTP, NULL, NULL);
	http_parser_free(server->parser);
	buf_fini(&server->out);
	mem_free(server);
}

void http_server_drain(struct http_server *server)
{
	struct list *pos;

	server->draining = true;
	http_again_drain(server);
	list_foreach (pos, &server->conns)
		http_conn_drain(container_of(pos, struct http_conn, node));
}

void http_server_each_body(
    struct http_server *server, bool (*fn)(size_t octets, void *arg), void *arg)
{
	struct list *pos, *next;

	list_foreach_safe (pos, next, &server->conns) {
		struct http_conn *c = container_of(pos, struct http_conn, node);

		if (c->state == HTTP_CONN_BODY && fn(c->request->body.cap, arg))
			http_conn_end(c);
	}
}

struct loop *http_server_loop(const struct http_server *server)
{
	return server->loop;
}

void *http_server_arg(const struct http_server *server)
{
	return server->arg;
}

const struct http_counters *http_server_counters(const struct http_server *server)
{
	return &server->counters;
}
