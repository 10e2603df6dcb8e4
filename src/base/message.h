/*
 * base/message.h - one application message: immutable, refcounted, encoded at
 * most once per wire form however many receivers it has.
 *
 * Text is UTF-8 in which lone surrogates may stand as three octets (ED A0..BF
 * xx), since SockJS has to carry them; each wire form deals with them.
 * References and forms may be used on any thread.
 */
#ifndef BASE_MESSAGE_H
#define BASE_MESSAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/shared.h"
#include "base/freelist.h"

/* The wire forms that are worth keeping; who encodes them is named behind. */
enum message_form {
	MESSAGE_WS,          /* a whole unmasked WebSocket frame: transports/websocket_raw */
	MESSAGE_SOCKJS_WS,   /* the same around a["..."]: transports/websocket */
	MESSAGE_XHR,         /* an HTTP chunk with a["..."]\n: transports/xhr_streaming */
	MESSAGE_EVENTSOURCE, /* an HTTP chunk with one event: transports/eventsource */
	MESSAGE_HTMLFILE,    /* an HTTP chunk with one script block: transports/htmlfile */
	/* The first two compressed, one for each size of window, 8 to 15 bits (RFC 7692) */
	MESSAGE_WS_DEFLATED,
	MESSAGE_SOCKJS_WS_DEFLATED = MESSAGE_WS_DEFLATED + 8,
	MESSAGE_FORMS = MESSAGE_SOCKJS_WS_DEFLATED + 8
};

struct message_cache; /* the encoded forms; only a message made for many has one */

struct message {
	atomic_uint refs;
	uint32_t len;
	bool binary;
	bool has_surrogates;         /* set by who made it, before it is shared */
	bool is_joined;              /* of several, which message_parts() gives */
	struct message_cache *cache; /* NULL: for one receiver, encode into scratch space */
	struct freelist *freelist;   /* which it is from; NULL: the heap */
	char data[];
};

/* Copies n bytes. `for_many` gives it a cache of forms. One reference, owned by the caller; NULL
 * when memory is out or n is over UINT32_MAX. */
struct message *message_new(const void *data, size_t n, bool binary, bool for_many);

/* For one receiver, and never seen by another thread than the free list's. Otherwise the same. */
struct message *message_new_in(struct freelist *freelist, const void *data, size_t n, bool binary);

/* Several text messages for many as one: they wait and go out together, but on every wire each is a
 * message. It holds references to them, and as its data theirs, one behind the other. NULL: memory
 * is out, one of them is binary or joined already, or they are too long. */
struct message *message_join(struct message *const *parts, size_t count);
/* What a message was joined of; or itself alone. */
struct message *const *message_parts(struct message *const *m, size_t *count);

static inline struct message *message_ref(struct message *m)
{
	atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	return m;
}

void message_unref(struct message *m); /* NULL is fine */

/* Encodes `m` into new shared bytes (one reference); NULL when memory is out. */
typedef struct shared *(*message_encode_fn)(const struct message *m);

/* The wire form of a message that has a cache; encoded by `encode` on first use. If two threads
 * come first, one result is kept. Borrowed: lives as long as the message. NULL when memory is out.
 * Must not be called on a message without cache. */
struct shared *message_form(struct message *m, enum message_form form, message_encode_fn encode);
/* The same in two steps, for who needs more than the message to encode it. A form that is there, or
 * NULL; and keeping `mine` (whose reference is the message's then) unless another thread was first.
 * Both borrowed. */
struct shared *message_form_find(const struct message *m, enum message_form form);
struct shared *message_form_keep(struct message *m, enum message_form form, struct shared *mine);

#endif
