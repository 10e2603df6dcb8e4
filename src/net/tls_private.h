/*
 * net/tls_private.h - what the files of TLS share. They alone know OpenSSL's TLS. Each calls
 * those below it:
 *
 *	tls_server.c    what a listener has: the context of the moment, its files followed
 *	stream_tls.c    connections; tls_peer.c whom they are with
 *	tls_context.c   what connections are made from
 *	tls_settings.c  what a server may choose: versions, ciphers, whose certificates it wants
 *	tls_names.c     which certificate for which name
 *	tls_tickets.c   what the contexts of a listener share: keys of tickets, counts
 */
#ifndef NET_TLS_PRIVATE_H
#define NET_TLS_PRIVATE_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "net/stream.h"
#include "net/tls_server.h"

struct ticket_key {
	unsigned char name[16], cipher[32], mac[32];
	uint64_t made_at; /* clock_now(); 0: there is none */
};

/* What the contexts of a listener share, one after the other. Any thread's. */
struct tls_shared {
	atomic_uint refs;
	atomic_uint under_way; /* handshakes */
	atomic_uint_fast64_t handshakes, resumed;
	atomic_uint_fast64_t took[HISTOGRAM_BUCKETS], took_us; /* as struct histogram */
	uint64_t lifetime_ms; /* of a ticket, and of the key that new ones are made with */
	pthread_mutex_t lock; /* of the keys */
	struct ticket_key key, previous;
};

/* A certificate of a server, and until when it is good. */
struct tls_certificate {
	SSL_CTX *ssl_ctx;
	int64_t not_after; /* seconds since 1970 */
};

struct tls_name {
	char *text;
	size_t certificate;
};

/* Sorted. */
struct tls_names {
	struct tls_name *items;
	size_t count, room;
};

struct tls_context {
	SSL_CTX *ssl_ctx;
	atomic_uint refs; /* connections have one each: sessions arrive at any time */

	/* a server's: the first certificate is that of ssl_ctx */
	struct tls_shared *shared; /* NULL: nobody counts, and tickets are OpenSSL's affair */
	struct tls_certificate *certificates;
	size_t certificate_count;
	struct tls_names names;

	/* a client's: what to resume with the host it was first used for; any thread's */
	pthread_mutex_t lock;
	char *host;
	SSL_SESSION *session;
};

struct stream_tls {
	SSL *ssl;
	struct tls_context *ctx;
	int fd;
	bool resumable; /* its sessions are worth keeping in the context */
	bool heard;     /* the peer's first octets are here */
	bool met_text;  /* and they are no TLS */
	bool under_way; /* its handshake is counted as such */
	uint16_t reads_left;
	uint16_t messages; /* of the handshake protocol, since the last data */
	uint32_t began;    /* its handshake, in milliseconds modulo 2^32 */
	int error;         /* of reading, for good; it may stand behind bytes still handed out */
	int write_error;   /* the wire takes nothing any more: OpenSSL is not told, for it would not
	                    * read then either what has come before */
	const char *why;   /* what went wrong last; static */
	void (*done)(struct stream *s, int err); /* until the handshake has ended */
};

/* --- tls_context.c ---------------------------------------------------------------------- */

/* A reference for one more connection; tls_context_free() gives it back. */
struct tls_context *tls_context_ref(struct tls_context *ctx);
/* One of a server. `shared` (or NULL) has to be there already. NULL: what is wrong is noted. */
struct tls_context *tls_context_of_server(
    const struct tls_server_options *o, struct tls_shared *shared, struct tls_trouble *trouble);
/* Has a client offer the session of an earlier connection to this host, if there is one. Returns
 * whether the sessions that it gets are to be kept. Without memory the handshake is only longer. */
bool tls_context_offer_session(struct tls_context *ctx, SSL *ssl, const char *host);
void tls_context_drop_session(struct tls_context *ctx);
/* Notes what OpenSSL says is wrong. -EINVAL. */
int tls_blame(struct tls_trouble *trouble, enum tls_file file);
/* Notes a reason of ours. -EINVAL. */
int tls_blame_text(struct tls_trouble *trouble, enum tls_file file, const char *why);

/* --- tls_settings.c --------------------------------------------------------------------- */

/* All that a server may choose. 0 or -EINVAL. */
int tls_settings_apply(
    SSL_CTX *ctx, const struct tls_server_options *o, struct tls_trouble *trouble);

/* --- tls_names.c ------------------------------------------------------------------------ */

/* The names in subjectAltName. 0 or -ENOMEM. */
int tls_names_add(struct tls_names *names, X509 *x, size_t certificate);
/* When all are there. */
void tls_names_sort(struct tls_names *names);
/* The first certificate that has this name, or else one for all names of its domain. -1: none. */
long tls_names_find(const struct tls_names *names, const char *name);
void tls_names_free(struct tls_names *names);

/* --- tls_tickets.c ---------------------------------------------------------------------- */

/* NULL: out of memory. */
struct tls_shared *tls_shared_new(uint64_t ticket_lifetime_ms);
struct tls_shared *tls_shared_ref(struct tls_shared *shared);
void tls_shared_free(struct tls_shared *shared); /* NULL is fine */
/* Has tickets made and read with its keys. */
void tls_tickets_use(SSL_CTX *ctx, const struct tls_shared *shared);

#endif
