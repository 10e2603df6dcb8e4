/*
 * net/stream_tls.c - the wire under TLS: OpenSSL as a server and as a client;
 * see stream_private.h. What they are made from is in tls_context.c.
 *
 * OpenSSL reads and writes the descriptor itself, through a small BIO of ours
 * that never raises SIGPIPE. It reads ahead, so that a record costs one system
 * call and not two; what it then holds, the kernel does not announce any more,
 * which is what STREAM_MORE stands for.
 *
 * Work per call is bounded: by READS_MAX reads of the descriptor, RECORDS_MAX
 * records written, and MESSAGES_MAX handshake messages (KeyUpdate, attempts at
 * renegotiation) in a row without a byte of data, which end the connection.
 *
 * Owns: the SSL object of each stream, freed with it.
 */
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/addr.h"
#include "net/stream_private.h"
#include "net/tls_private.h"

enum {
	RECORD_BYTES = 16 * 1024, /* what one TLS record carries at most */
	RECORDS_MAX = 16,         /* in one write */
	READS_MAX = 8,            /* of the descriptor, in one call; each may bring a record */
	MESSAGES_MAX = 128,
	NAME_MAX_BYTES = 253, /* of a DNS name */
};

/* --- a BIO over a socket ------------------------------------------------ */

static int bio_result(BIO *bio, ssize_t n)
{
	BIO_clear_retry_flags(bio);
	if (n >= 0)
		return (int)n;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
		BIO_set_flags(bio, BIO_FLAGS_SHOULD_RETRY);
		errno = EAGAIN;
	}
	return -1;
}

/* HTTP begins with the name of a method, or an empty line; TLS with octet 22. */
static void look_at_first_octet(struct stream_tls *tls, char c)
{
	tls->heard = true;
	tls->met_text = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '\r' || c == '\n';
}

static ssize_t bounded_recv(struct stream_tls *tls, char *p, int n)
{
	ssize_t got;

	if (tls->messages > MESSAGES_MAX) {
		errno = EPROTO;
		return -1;
	}
	if (tls->reads_left == 0) {
		errno = EAGAIN;
		return -1;
	}
	tls->reads_left--;
	got = recv(tls->fd, p, (size_t)n, 0);
	if (got > 0 && !tls->heard)
		look_at_first_octet(tls, *p);
	return got;
}

static int bio_read(BIO *bio, char *p, int n)
{
	int got = bio_result(bio, bounded_recv(BIO_get_data(bio), p, n));

	if (got < 0 && BIO_should_retry(bio))
		BIO_set_retry_read(bio);
	if (got == 0 && n > 0)
		BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
	return got;
}

/* After a failed write OpenSSL may not be asked for anything more. So to it such a wire is full;
 * what it is, verdict() knows. */
static int bio_write(BIO *bio, const char *p, int n)
{
	struct stream_tls *tls = BIO_get_data(bio);
	int sent = bio_result(bio, send(tls->fd, p, (size_t)n, MSG_NOSIGNAL));

	if (sent < 0 && !BIO_should_retry(bio))
		tls->write_error = -errno;
	if (sent < 0)
		BIO_set_retry_write(bio);
	return sent;
}

static long bio_ctrl(BIO *bio, int command, long num, void *ptr)
{
	(void)num;
	(void)ptr;
	switch (command) {
	case BIO_CTRL_FLUSH:
		return 1; /* nothing is held back */
	case BIO_CTRL_EOF:
		return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
	default:
		return 0;
	}
}

static BIO_METHOD *bio_method;

static void make_bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");

	if (m && BIO_meth_set_read(m, bio_read) && BIO_meth_set_write(m, bio_write) &&
	    BIO_meth_set_ctrl(m, bio_ctrl))
		bio_method = m;
	else
		BIO_meth_free(m);
}

static BIO *bio_new(struct stream_tls *tls)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *bio;

	pthread_once(&once, make_bio_method);
	bio = bio_method ? BIO_new(bio_method) : NULL;
	if (bio) {
		BIO_set_data(bio, tls);
		BIO_set_init(bio, 1);
	}
	return bio;
}

/* --- the wire ----------------------------------------------------------- */

/* What to clear before each call into OpenSSL: its verdict looks at both afterwards. */
static void begin(void)
{
	ERR_clear_error();
	errno = 0;
}

/* The peer's certificate is not good. Why comes first in OpenSSL's queue, and it may be a
 * signature, or the words of some other library. */
static bool is_rejected(const SSL *ssl)
{
	return (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) &&
	       SSL_get_verify_result(ssl) != X509_V_OK;
}

/* Names what OpenSSL says has gone wrong. */
static int failure(struct stream_tls *tls)
{
	unsigned long err = ERR_peek_error();
	const char *reason = ERR_reason_error_string(err);

	if (is_rejected(tls->ssl)) {
		tls->why = X509_verify_cert_error_string(SSL_get_verify_result(tls->ssl));
		return -EKEYREJECTED;
	}
	if (ERR_GET_LIB(err) == ERR_LIB_SSL && ERR_GET_REASON(err) == SSL_R_WRONG_VERSION_NUMBER)
		reason = "the peer does not speak TLS";
	tls->why = reason ? reason : "the TLS protocol was broken";
	return -EPROTO;
}

/* Turns the outcome of an OpenSSL call into -errno, or 0 for the orderly end. `crossed` is the flag
 * to raise if the call needs the other direction first. */
static int verdict(struct stream *s, int result, int needs_other, uint16_t crossed)
{
	int saved = errno;
	int err = SSL_get_error(s->tls->ssl, result);

	if (err == SSL_ERROR_WANT_WRITE && s->tls->write_error)
		return s->tls->write_error;
	if (err == needs_other)
		s->flags |= crossed;
	switch (err) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		return s->tls->error = saved ? -saved : -ECONNRESET;
	default:
		return s->tls->error = failure(s->tls);
	}
}

/* -EAGAIN of a wire that ran dry ends by an event; -EAGAIN because this call has read enough would
 * not, and is STREAM_MORE. */
static int read_record(struct stream *s, char *p, size_t n)
{
	int r, err;

	begin();
	r = SSL_read(s->tls->ssl, p, n > INT_MAX ? INT_MAX : (int)n);
	if (r > 0) {
		s->tls->messages = 0;
		return r;
	}
	err = verdict(s, r, SSL_ERROR_WANT_WRITE, STREAM_READ_WANTS_WRITE);
	if (err == -EAGAIN && s->tls->reads_left == 0)
		s->flags |= STREAM_MORE;
	return err;
}

/* Bytes first: what ends them is kept for the next read, which STREAM_MORE brings about. Asking for
 * no more once OpenSSL is empty saves the read that would only say EAGAIN. */
static ssize_t tls_read(struct stream *s, void *p, size_t n)
{
	size_t got = 0;
	int r;

	if (s->tls->error)
		return s->tls->error;
	s->tls->reads_left = READS_MAX;
	s->flags &= (uint16_t)~STREAM_READ_WANTS_WRITE;
	while (got < n) {
		r = read_record(s, (char *)p + got, n - got);
		if (r <= 0 && got == 0)
			return r;
		if (r == -EAGAIN)
			return (ssize_t)got;
		if (r <= 0) {
			s->tls->error = r;
			break;
		}
		got += (size_t)r;
		if (!SSL_has_pending(s->tls->ssl))
			return (ssize_t)got;
	}
	s->flags |= STREAM_MORE;
	return (ssize_t)got;
}

int stream_tls_peek(struct stream *s)
{
	char byte;
	int r, err;

	if (s->tls->error)
		return s->tls->error;
	s->tls->reads_left = READS_MAX;
	s->flags &= (uint16_t) ~(STREAM_READ_WANTS_WRITE | STREAM_MORE);
	begin();
	r = SSL_peek(s->tls->ssl, &byte, 1);
	if (r > 0) {
		s->flags |= STREAM_MORE;
		return 1;
	}
	err = verdict(s, r, SSL_ERROR_WANT_WRITE, STREAM_READ_WANTS_WRITE);
	if (err == -EAGAIN && s->tls->reads_left == 0)
		s->flags |= STREAM_MORE;
	return err;
}

/* The bytes of the next record: in the first piece (behind `skip`) if that has enough, else
 * gathered in `space`. The length depends only on how many bytes follow, so a record that OpenSSL
 * has to be offered again is never offered shorter, even when the bytes have moved into the queue
 * meanwhile. */
static const char *next_record(const struct stream_piece *pieces, unsigned n, size_t skip,
    char space[RECORD_BYTES], size_t *len)
{
	size_t first = pieces->n - skip, filled = 0;

	if (n == 1 || first >= RECORD_BYTES) {
		*len = first < RECORD_BYTES ? first : RECORD_BYTES;
		return (const char *)pieces->p + skip;
	}
	for (; n > 0 && filled < RECORD_BYTES; pieces++, n--) {
		size_t part = pieces->n - skip;

		if (part > RECORD_BYTES - filled)
			part = RECORD_BYTES - filled;
		memcpy(space + filled, (const char *)pieces->p + skip, part);
		filled += part;
		skip = 0;
	}
	*len = filled;
	return space;
}

static ssize_t write_record(struct stream *s, const char *p, size_t len)
{
	int r, err;

	begin();
	r = SSL_write(s->tls->ssl, p, (int)len);
	if (r > 0)
		return r;
	err = verdict(s, r, SSL_ERROR_WANT_READ, STREAM_WRITE_WANTS_READ);
	return err == 0 ? -EPIPE : err;
}

static ssize_t tls_write(struct stream *s, const struct stream_piece *pieces, unsigned n)
{
	char space[RECORD_BYTES];
	size_t taken = 0, skip = 0, len;

	s->tls->reads_left = READS_MAX;
	s->flags &= (uint16_t)~STREAM_WRITE_WANTS_READ;
	for (unsigned i = 0; i < RECORDS_MAX; i++) {
		const char *p;
		ssize_t r;

		for (; n > 0 && skip >= pieces->n; pieces++, n--)
			skip -= pieces->n;
		if (n == 0)
			break;
		p = next_record(pieces, n, skip, space, &len);
		r = write_record(s, p, len);
		if (r < 0)
			return taken > 0 ? (ssize_t)taken : r;
		taken += (size_t)r;
		skip += (size_t)r;
	}
	return (ssize_t)taken;
}

/* close_notify, then the end of the TCP stream. */
static int tls_shutdown(struct stream *s)
{
	int r, err;

	s->tls->reads_left = READS_MAX;
	begin();
	r = SSL_shutdown(s->tls->ssl);
	if (r < 0) {
		err = verdict(s, r, SSL_ERROR_WANT_READ, STREAM_WRITE_WANTS_READ);
		return err == 0 ? -EPIPE : err;
	}
	return shutdown(s->watch.fd, SHUT_WR) < 0 ? -errno : 0;
}

static void leave_handshake(struct stream_tls *tls)
{
	if (tls->under_way)
		atomic_fetch_sub_explicit(&tls->ctx->shared->under_way, 1, memory_order_relaxed);
	tls->under_way = false;
}

static void tls_free(struct stream_tls *tls)
{
	leave_handshake(tls);
	SSL_free(tls->ssl);
	tls_context_free(tls->ctx);
	mem_free(tls);
}

/* The session offered in a handshake that came to nothing may be to blame. */
static void tls_release(struct stream *s, bool politely)
{
	if ((s->flags & STREAM_HANDSHAKE) && s->tls->resumable)
		tls_context_drop_session(s->tls->ctx);
	if (politely && !(s->flags & (STREAM_HANDSHAKE | STREAM_SHUT_DONE))) {
		begin();
		SSL_shutdown(s->tls->ssl); /* one attempt: whoever closes does not wait */
	}
	tls_free(s->tls);
	s->tls = NULL;
	ERR_clear_error();
}

const struct stream_ops stream_tls_ops = {
	.read = tls_read,
	.write = tls_write,
	.shutdown = tls_shutdown,
	.release = tls_release,
};

/* --- the handshake begins ----------------------------------------------- */

static struct stream_tls *tls_new(int fd, struct tls_context *ctx)
{
	struct stream_tls *tls = mem_zalloc(sizeof(*tls));
	BIO *bio;

	if (!tls)
		return NULL;
	tls->fd = fd;
	tls->ctx = tls_context_ref(ctx);
	tls->ssl = SSL_new(ctx->ssl_ctx);
	bio = tls->ssl ? bio_new(tls) : NULL;
	if (!bio) {
		tls_free(tls);
		ERR_clear_error();
		return NULL;
	}
	SSL_set_bio(tls->ssl, bio, bio);
	SSL_set_app_data(tls->ssl, tls);
	return tls;
}

/* `first` is the flag of what the handshake waits for first. */
static int begin_handshake(struct stream *s, struct stream_tls *tls, uint16_t first,
    void (*done)(struct stream *s, int err))
{
	int err;

	tls->done = done;
	s->tls = tls;
	s->flags |= STREAM_HANDSHAKE | first;
	err = stream_rewatch(s);
	if (err < 0) {
		tls_release(s, false);
		s->flags &= (uint16_t) ~(STREAM_HANDSHAKE | first);
	}
	return err;
}

int stream_tls_accept(
    struct stream *s, struct tls_context *ctx, void (*done)(struct stream *s, int err))
{
	struct stream_tls *tls = tls_new(s->watch.fd, ctx);

	if (!tls)
		return -ENOMEM;
	SSL_set_accept_state(tls->ssl);
	if (ctx->shared) {
		atomic_fetch_add_explicit(&ctx->shared->under_way, 1, memory_order_relaxed);
		tls->under_way = true;
		tls->began = (uint32_t)loop_now(s->loop);
	}
	return begin_handshake(s, tls, 0, done);
}

/* --- the handshake of a client ------------------------------------------ */

static int expect_ip(SSL *ssl, const struct addr *ip)
{
	size_t n = ip->family == AF_INET ? 4 : 16;

	return X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), ip->ip, n) == 1 ? 0 : -ENOMEM;
}

/* The root's dot at the end of a name is for the resolver alone. */
static int expect_name(SSL *ssl, const char *host)
{
	char name[NAME_MAX_BYTES + 1];
	size_t n = strlen(host);

	if (n > 0 && host[n - 1] == '.')
		n--;
	if (n == 0 || n > NAME_MAX_BYTES)
		return -EINVAL;
	memcpy(name, host, n);
	name[n] = '\0';
	SSL_set_hostflags(
	    ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1 ? 0
	                                                                                 : -ENOMEM;
}

/* Whom the certificate must be for. */
static int expect(SSL *ssl, const char *host)
{
	struct addr ip;

	if (addr_parse_ip(bytes_of(host), &ip) == 0)
		return expect_ip(ssl, &ip);
	return expect_name(ssl, host);
}

/* A client speaks first: it waits for the wire to take bytes. */
int stream_tls_connect(struct stream *s, struct tls_context *ctx, const char *host,
    void (*done)(struct stream *s, int err))
{
	struct stream_tls *tls = tls_new(s->watch.fd, ctx);
	int err;

	if (!tls)
		return -ENOMEM;
	err = expect(tls->ssl, host);
	if (err < 0) {
		tls_free(tls);
		ERR_clear_error();
		return err;
	}
	SSL_set_connect_state(tls->ssl);
	tls->resumable = tls_context_offer_session(ctx, tls->ssl, host);
	return begin_handshake(s, tls, STREAM_READ_WANTS_WRITE, done);
}

bool stream_tls_met_text(const struct stream *s)
{
	return s->tls && s->tls->met_text;
}

const char *stream_tls_why(const struct stream *s)
{
	return s->tls && s->tls->why ? s->tls->why : "";
}

/* --- its steps and its end ---------------------------------------------- */

static void handshake_failed(struct stream *s, int err)
{
	loop_unwatch(s->loop, &s->watch);
	s->flags |= STREAM_FAILED | STREAM_GONE;
	s->error = (uint8_t)-err;
	s->tls->done(s, err);
}

/* Counters are those of servers. */
static void count_handshake(struct stream_tls *tls, uint64_t now)
{
	struct tls_shared *shared = tls->ctx->shared;
	uint64_t us = (uint64_t)((uint32_t)now - tls->began) * 1000;

	leave_handshake(tls);
	if (!shared)
		return;
	atomic_fetch_add_explicit(&shared->handshakes, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&shared->took[histogram_bucket(us)], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&shared->took_us, us, memory_order_relaxed);
	if (SSL_session_reused(tls->ssl))
		atomic_fetch_add_explicit(&shared->resumed, 1, memory_order_relaxed);
}

static void handshake_done(struct stream *s)
{
	count_handshake(s->tls, loop_now(s->loop));
	s->flags &= (uint16_t)~STREAM_HANDSHAKE;
	s->tls->messages = 0;
	if (SSL_has_pending(s->tls->ssl))
		s->flags |= STREAM_MORE; /* the first request came along */
	s->tls->done(s, 0);
	stream_settle(s);
}

void stream_tls_handshake(struct stream *s)
{
	int r, err;

	s->tls->reads_left = READS_MAX;
	s->flags &= (uint16_t)~STREAM_READ_WANTS_WRITE;
	budget_spend(loop_budget(s->loop), COST_TLS_STEP);
	begin();
	r = SSL_do_handshake(s->tls->ssl);
	if (r == 1) {
		handshake_done(s);
		return;
	}
	err = verdict(s, r, SSL_ERROR_WANT_WRITE, STREAM_READ_WANTS_WRITE);
	if (err == -EAGAIN) {
		err = stream_rewatch(s);
		if (s->tls->reads_left == 0)
			loop_poke(s->loop, &s->watch);
	} else if (err == 0) {
		err = -ECONNRESET;
	}
	if (err == -ECONNRESET || err == -EPIPE)
		s->tls->why = "the peer left in the middle of the handshake";
	ERR_clear_error();
	if (err < 0)
		handshake_failed(s, err);
}
