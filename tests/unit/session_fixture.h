/*
 * tests/unit/session_fixture.h - a session between an application that writes down what it
 * is told and receivers that write down what they are told to say; time is moved by hand.
 *
 * Receivers are static: the sessions still hold them when the teardown ends what a test has
 * left.
 */
#ifndef TESTS_SESSION_FIXTURE_H
#define TESTS_SESSION_FIXTURE_H

#include <check.h>

#include "fakes/fake_loop.h"
#include "fakes/fake_receiver.h"
#include "session/session.h"
#include "session/session_table.h"

#define COST 64 /* what a waiting message costs beside its bytes */

enum { TOLD_MAX = 65536 };

extern struct loop *loop;
extern struct session_reactor reactor;
extern struct session_limits limits;
extern struct session_table *table;
extern struct addr peer;

/* --- the application -------------------------------------------------------------- */

void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

extern const struct session_ops telling_app;
extern char told[TOLD_MAX];
extern size_t told_len;

/* What it does when it is told something; NULL: nothing. */
struct session_reactions {
	void (*open)(struct session *s);
	void (*message)(struct session *s);
	void (*writable)(struct session *s);
	void (*close)(struct session *s);
};

extern struct session_reactions react;

void close_4000(struct session *s);
void say_hello(struct session *s);

/* Checks what the application was told since the last look. */
#define app_was_told(text)                                                                         \
	do {                                                                                       \
		ck_assert_str_eq(told, (text));                                                    \
		told_len = 0;                                                                      \
		told[0] = '\0';                                                                    \
	} while (0)

/* --- the world -------------------------------------------------------------------- */

/* As a WebSocket has it: in no table. */
struct session *new_session(void);
/* As the other transports have it: other receivers may find it. */
struct session *new_session_in_table(void);
bool is_in_table(void);

void open_by(struct session *s, struct fake_receiver *r);
struct session *open_stream(struct fake_receiver *r);
/* Opened by a poll that has been answered; nobody is attached. */
struct session *open_by_poll(void);

int send_text(struct session *s, const char *text);
/* A message that costs so much altogether. */
int send_cost(struct session *s, size_t cost);
void deliver(struct session *s, const char *text);

/* A program of tests; `add` names them. Returns its exit status. */
int session_tests_run(const char *name, void (*add)(TCase *tc));

#endif
