/*
 * tests/wire/player.h - what the files of the player share: its state, its
 * way to fail, and the verbs that its table names. Not for others: play.h is.
 *
 * There is no error handling by return codes: a scenario has a process of its
 * own, so that the first difference writes its report and exits.
 */
#ifndef WIRE_PLAYER_H
#define WIRE_PLAYER_H

#include <stdio.h>

#include "wire/http.h"
#include "wire/play.h"
#include "wire/stomp_link.h"
#include "wire/text.h"
#include "wire/websocket.h"

enum { MAX_PIPELINE = 64 };

struct client {
	struct client *next;
	char *name;
	const struct address *address;
	struct conn conn;
	struct http_response response;
	struct text body; /* of the response, once asked for; malloc'd */
	bool has_body;
	bool head[MAX_PIPELINE]; /* ring: is the Nth request without answer a HEAD? */
	unsigned asked, answered;
	struct ws_partial partial;
	struct stomp_link link;
	int64_t deadline_ms;
};

/* A request being put together by '>' lines; sent by the first other line. */
struct request {
	bool pending, websocket, post;
	bool has_host, has_length, has_body;
	int minor;
	struct text head, body; /* malloc'd copies: they outlive statements */
	char key[25];
};

extern struct player {
	const struct scenario *scenario;
	const struct statement *at;
	const struct server *server;
	struct client *clients, *now;
	struct request request;
	double patience;
	int64_t mark;
	FILE *report, *transcript;
	char *transcript_text;
	size_t transcript_size;
} player;

/* --- play.c: reports and small things --- */
_Noreturn void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void mistake(const char *what, const char *where) __attribute__((noreturn));
void note(const struct client *c, char direction, const void *bytes, size_t n);
int64_t deadline(void); /* of the present client, from now */
bool word_is(struct text word, const char *s);
long number(const char **p);

/* Text that outlives its statement: malloc'd. */
void keep(struct text *copy, const void *bytes, size_t n);
void drop(struct text *copy);
void do_fresh(const char *rest); /* another $id */

/* --- client.c: named clients, and what they send --- */
struct client *client_named(const char *name);
void client_open(struct client *c);
void client_ready(struct client *c);
void client_send(struct client *c, const void *bytes, size_t n);
void request_line(const char *line);
bool is_request_line(const char *rest);
void request_flush(void); /* sends what '>' lines have put together */

void do_client(const char *rest);
void do_connect(const char *rest);
void do_close(const char *rest);
void do_reset(const char *rest);
void do_shutdown(const char *rest);
void do_deadline(const char *rest);
void do_slow(const char *rest);
void do_request(const char *rest);
void do_raw(const char *rest);
void do_drip(const char *rest);

/* --- expect.c: responses and how they compare --- */
void match(const char *what, const char *rule, struct text got);
struct text piece_of_body(struct client *c, const char *what);
void read_body(struct client *c);
void read_head(struct client *c, const char *what);
void need_response(void);
void expect_status(const char *rule);
void expect_header(const char *line);
void expect_no_header(const char *rest);
void do_expect(const char *rest);

/* --- verbs_ws.c: WebSocket, both ways --- */
void ws_handshake_done(struct client *c);
void do_ws(const char *rest);
void ws_open(const char *rest);
struct text expect_message(enum ws_opcode opcode);
void expect_text(const char *rest);
void expect_binary(const char *rest);
void expect_ping(const char *rest);
void expect_pong(const char *rest);
void expect_close(const char *rest);

/* --- verbs_stomp.c: STOMP frames, both ways --- */
void do_stomp(const char *rest);
void expect_frame(const char *rest);
void expect_last(const char *rest);
void expect_beat(const char *rest);
void expect_silence(const char *rest);
void expect_ends(const char *rest);
void save_frame_header(const char *name, const char *header);

/* --- receive.c: SockJS messages over as many requests as it takes --- */
void do_receive(const char *rest);

#endif
