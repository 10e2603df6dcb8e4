/*
 * fakes/fake_endpoint.h - an endpoint without a server above it: it routes
 * /<session>/<transport>, accepts every session and writes down what its
 * application is told. The loop runs in the test's own thread, whenever the test
 * waits for something.
 */
#ifndef FAKES_FAKE_ENDPOINT_H
#define FAKES_FAKE_ENDPOINT_H

#include "fakes/raw_client.h"
#include "transports/transport.h"

struct fake_endpoint {
	struct endpoint base;
	struct transport_reactor reactor;
	struct loop *loop;
	struct session *last; /* accepted */
	unsigned refuse_with; /* a status; 0: accept */
	bool hold;            /* the decision is the test's */
	bool is_short;        /* streams end after each frame */
	int listener;
	unsigned port;
	char told[16384]; /* "[open]", "[message hi]", "[close 1002 ...]", "[free]" */
	void (*on_open)(struct session *s);
};

extern struct fake_endpoint fake;

void fake_endpoint_up(void);
/* Ends everything and checks that nothing is left. */
void fake_endpoint_down(void);
/* Connects a client; its connection is in the HTTP layer. */
void fake_connect(struct raw_client *c);
void fake_turns(unsigned n);
/* As the functions of raw_client.h, while the loop runs. */
void fake_expect(struct raw_client *c, const char *text);
void fake_expect_next(struct raw_client *c, const char *text);
void fake_expect_end(struct raw_client *c);
/* Waits until the application has been told exactly this since the last time. */
void fake_expect_told(const char *text);
int fake_send(struct session *s, const char *text);

#endif
