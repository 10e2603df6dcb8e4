/*
 * server/ref.c - sessions from other threads: a counted reference, and mail to the
 * session's reactor.
 */
#include <errno.h>

#include "base/mem.h"
#include "server/server_private.h"

#define ORDER_COST 128 /* what a message on its way costs beside its bytes */

struct sockjs_ref {
	atomic_uint refs;
	atomic_bool over;
	atomic_size_t under_way; /* octets posted and not yet delivered */
	size_t limit;            /* of these */
	struct loop *loop;
	struct sockjs_session *session; /* for the session's own thread; NULL once it is over */
};

static void ref_release(struct sockjs_ref *ref)
{
	if (ref && atomic_fetch_sub_explicit(&ref->refs, 1, memory_order_acq_rel) == 1)
		mem_free(ref);
}

static struct sockjs_ref *ref_take(struct sockjs_ref *ref)
{
	atomic_fetch_add_explicit(&ref->refs, 1, memory_order_relaxed);
	return ref;
}

struct sockjs_ref *sockjs_session_ref(struct sockjs_session *s)
{
	struct session_extra *extra = session_extra(s);
	struct sockjs_ref *ref;

	if (!extra)
		return NULL;
	if (extra->ref)
		return ref_take(extra->ref);
	ref = mem_zalloc(sizeof(*ref));
	if (!ref)
		return NULL;
	atomic_init(&ref->refs, 2); /* the session's, and the caller's */
	ref->limit = s->base.limits->send_buffer_bytes;
	ref->loop = s->base.reactor->loop;
	ref->session = s;
	extra->ref = ref;
	return ref;
}

void sockjs_ref_free(struct sockjs_ref *ref)
{
	ref_release(ref);
}

void ref_session_closed(struct sockjs_ref *ref)
{
	if (!ref)
		return;
	ref->session = NULL;
	atomic_store_explicit(&ref->over, true, memory_order_relaxed);
}

/* --- mail --------------------------------------------------------------- */

enum order_kind { ORDER_SEND, ORDER_CLOSE, ORDER_CALL };

struct order {
	struct mail mail;
	struct sockjs_ref *ref;
	enum order_kind kind;
	struct message *message;
	unsigned code;
	char *reason;
	void (*fn)(struct sockjs_session *s, void *arg);
	void *arg;
};

static void order_free(struct order *o)
{
	if (o->message)
		atomic_fetch_sub_explicit(
		    &o->ref->under_way, o->message->len + ORDER_COST, memory_order_relaxed);
	message_unref(o->message);
	mem_free(o->reason);
	ref_release(o->ref);
	mem_free(o);
}

static void on_order(struct mail *mail, struct loop *loop)
{
	struct order *o = container_of(mail, struct order, mail);
	struct sockjs_session *s = o->ref->session;

	(void)loop;
	if (o->kind == ORDER_CALL)
		o->fn(s, o->arg);
	else if (s && o->kind == ORDER_SEND)
		send_accepted(s, o->message);
	else if (s)
		sockjs_close(s, o->code, o->reason);
	order_free(o);
}

static struct order *order_new(struct sockjs_ref *ref, enum order_kind kind)
{
	struct order *o = mem_zalloc(sizeof(*o));

	if (o) {
		o->ref = ref_take(ref);
		o->kind = kind;
	}
	return o;
}

static bool is_over(const struct sockjs_ref *ref)
{
	return atomic_load_explicit(&ref->over, memory_order_relaxed);
}

int sockjs_ref_send(struct sockjs_ref *ref, const void *text, size_t len)
{
	struct message *m;
	struct order *o;
	size_t under_way;
	int err;

	if (is_over(ref))
		return -EPIPE;
	if (len > ref->limit)
		return -EMSGSIZE;
	under_way = atomic_load_explicit(&ref->under_way, memory_order_relaxed);
	if (under_way > 0 && under_way + len + ORDER_COST > ref->limit)
		return -ENOBUFS;
	if ((err = message_from_app(&m, text, len, false)) < 0)
		return err;
	o = order_new(ref, ORDER_SEND);
	if (!o) {
		message_unref(m);
		return -ENOMEM;
	}
	atomic_fetch_add_explicit(&ref->under_way, len + ORDER_COST, memory_order_relaxed);
	o->message = m;
	loop_post(ref->loop, &o->mail, on_order);
	return 0;
}

int sockjs_ref_close(struct sockjs_ref *ref, unsigned code, const char *reason)
{
	struct order *o;

	if (is_over(ref))
		return -EPIPE;
	o = order_new(ref, ORDER_CLOSE);
	if (!o)
		return -ENOMEM;
	o->code = code;
	o->reason = reason ? mem_strdup(reason) : NULL;
	loop_post(ref->loop, &o->mail, on_order);
	return 0;
}

int sockjs_ref_call(
    struct sockjs_ref *ref, void (*fn)(struct sockjs_session *s, void *arg), void *arg)
{
	struct order *o = order_new(ref, ORDER_CALL);

	if (!o)
		return -ENOMEM;
	o->fn = fn;
	o->arg = arg;
	loop_post(ref->loop, &o->mail, on_order);
	return 0;
}
