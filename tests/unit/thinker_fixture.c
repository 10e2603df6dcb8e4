/*
 * tests/unit/thinker_fixture.c - see thinker_fixture.h.
 */
#include "thinker_fixture.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* --- an application that has to think ---------------------------------------- */

unsigned slow;

struct guest guests[2];

static pthread_mutex_t guests_lock = PTHREAD_MUTEX_INITIALIZER;

static int think(struct sockjs_client *c, unsigned about)
{
	struct guest *g;

	if (!(slow & about))
		return 0;
	ck_assert_int_eq(sockjs_client_decide(c, 0, NULL), -EALREADY); /* not from within */
	pthread_mutex_lock(&guests_lock);
	g = guests[0].c && guests[0].c != c ? &guests[1] : &guests[0];
	sockjs_ref_free(g->ref);
	g->c = c;
	g->ref = sockjs_session_ref(sockjs_client_session(c));
	ck_assert_ptr_nonnull(g->ref);
	pthread_mutex_unlock(&guests_lock);
	return SOCKJS_LATER;
}

static const char *header(const struct sockjs_publication *p, const char *name)
{
	for (size_t i = 0; i < p->header_count; i++)
		if (strcmp(p->headers[i].name, name) == 0)
			return p->headers[i].value;
	return "-";
}

static int on_authenticate(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	int status = think(c, AUTHENTICATE);

	(void)arg;
	tell("[authenticate %s %s]", header(p, "login"), header(p, "passcode"));
	return status;
}

static int on_connect(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	int status = think(c, CONNECT);

	(void)arg;
	ck_assert_str_eq(header(p, "passcode"), "-");
	tell("[connect %s]", sockjs_client_user(c));
	return status;
}

static void on_connected(struct sockjs_client *c, void *arg)
{
	(void)arg;
	tell("[connected %s]", sockjs_client_user(c));
}

int on_subscribe(struct sockjs_client *c, const char *destination, const char *id, void *arg)
{
	int status = think(c, SUBSCRIBE);

	(void)arg;
	tell("[subscribe %s %s]", destination, id);
	return status;
}

int on_incoming(struct sockjs_client *c, struct sockjs_publication *p, void *arg)
{
	int status = think(c, INCOMING);

	(void)arg;
	tell("[incoming %s %.*s]", p->destination, (int)p->len, p->body);
	return status;
}

static int on_sent(struct sockjs_client *c, const struct sockjs_publication *p, void *arg)
{
	int status = think(c, HANDLER);

	(void)arg;
	tell("[handler %s %.*s]", p->destination, (int)p->len, p->body);
	return status;
}

static int on_state(struct sockjs_client *c, const struct sockjs_publication *p,
    struct sockjs_publication *answer, void *arg)
{
	int status = think(c, ANSWER);

	(void)arg, (void)answer;
	tell("[answer %s]", p->destination);
	return status;
}

void on_disconnected(struct sockjs_client *c, void *arg)
{
	unsigned code;
	const char *reason = sockjs_client_end(c, &code);

	(void)arg;
	tell("[disconnected %u %s]", code, reason);
}

void on_gone(struct sockjs_client *c, void *arg)
{
	unsigned code;

	(void)arg;
	sockjs_client_end(c, &code);
	ck_assert_int_eq(sockjs_client_decide(c, 0, NULL), -EALREADY);
	pthread_mutex_lock(&guests_lock);
	for (unsigned i = 0; i < 2; i++)
		if (guests[i].c == c)
			guests[i].c = NULL;
	pthread_mutex_unlock(&guests_lock);
	sockjs_client_disconnect(c, "It has gone."); /* means nothing any more */
	tell("[gone %u %s]", code, sockjs_client_data(c) ? (char *)sockjs_client_data(c) : "-");
}

static const struct sockjs_broker_hooks thinker = {
	.authenticate = on_authenticate,
	.connect = on_connect,
	.connected = on_connected,
	.subscribe = on_subscribe,
	.incoming = on_incoming,
	.disconnected = on_disconnected,
	.gone = on_gone,
};

void start(unsigned about, const char *const *options)
{
	slow = about;
	prepare(options);
	sockjs_broker_set_hooks(broker, &thinker, NULL);
	ck_assert_int_eq(sockjs_broker_handle(broker, "/app/say/*", on_sent, NULL), 0);
	ck_assert_int_eq(sockjs_broker_answer(broker, "/app/state/*", on_state, NULL), 0);
	run(NULL);
}

void end(void)
{
	teardown();
	for (unsigned i = 0; i < 2; i++)
		sockjs_ref_free(guests[i].ref);
	memset(guests, 0, sizeof(guests));
}

const char *const questions[] = {
	[AUTHENTICATE] = "[authenticate - -]",
	[CONNECT] = "[connect ]",
	[SUBSCRIBE] = "[subscribe /topic/x 1]",
	[INCOMING] = "[incoming /topic/x x]",
	[HANDLER] = "[handler /app/say/x x]",
	[ANSWER] = "[answer /app/state/x]",
};

/* --- its word, from another thread ------------------------------------------- */

static void say_word(struct sockjs_session *s, void *arg)
{
	struct word *w = arg;

	w->result = -EPIPE;
	if (s && w->who)
		ck_assert_int_eq(sockjs_client_set_identity(w->guest->c, w->who), 0);
	if (s && w->sentence)
		w->result = sockjs_client_refuse(w->guest->c, w->status, w->sentence);
	else if (s)
		w->result = sockjs_client_decide(w->guest->c, w->status, w->p);
	w->said = true;
}

int give(struct word w)
{
	if (!w.guest)
		w.guest = &guests[0];
	ck_assert_int_eq(sockjs_ref_call(w.guest->ref, say_word, &w), 0);
	for (int i = 0; i < 5000 && !w.said; i++)
		usleep(1000);
	ck_assert(w.said);
	return w.result;
}
