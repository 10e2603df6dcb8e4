/*
 * bench/load/tls.c - OpenSSL as a client that believes every certificate: those of benchmarks
 * are made for the day, and only what the server pays is counted.
 */
#include "load/tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "load/fail.h"

static SSL_CTX *context;
static SSL_SESSION *ticket; /* the latest */
static bool resumes;

void tls_resume(void)
{
	resumes = true;
}

/* OpenSSL has a session used once, and marks those of connections that break: so it never gets the
 * one that is kept. */
static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(ticket);
	ticket = must(SSL_SESSION_dup(session));
	return 0; /* its reference is not kept */
}

static void offer_ticket(SSL *ssl)
{
	SSL_SESSION *copy = must(SSL_SESSION_dup(ticket));

	SSL_set_session(ssl, copy);
	SSL_SESSION_free(copy);
}

static void make_context(void)
{
	context = must(SSL_CTX_new(TLS_client_method()));
	SSL_CTX_set_mode(
	    context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	if (!resumes)
		return;
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, keep_ticket);
}

static SSL *ssl_of(struct tls *tls)
{
	return (SSL *)tls;
}

struct tls *tls_open(int fd)
{
	SSL *ssl;

	if (!context)
		make_context();
	ssl = must(SSL_new(context));
	SSL_set_fd(ssl, fd);
	if (ticket)
		offer_ticket(ssl);
	SSL_set_app_data(ssl, ticket);
	return (struct tls *)ssl;
}

/* What the last call has come to: 0 for an end, or -1 and errno. */
static ssize_t verdict(struct tls *tls, int result)
{
	int saved = errno, why = SSL_get_error(ssl_of(tls), result);

	if (why == SSL_ERROR_ZERO_RETURN)
		return 0;
	errno = EPROTO;
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		errno = EAGAIN;
	else if (why == SSL_ERROR_SYSCALL && saved)
		errno = saved;
	return -1;
}

bool tls_shake(struct tls *tls)
{
	int result;

	ERR_clear_error();
	result = SSL_connect(ssl_of(tls));
	if (result == 1 && SSL_get_app_data(ssl_of(tls)) && !SSL_session_reused(ssl_of(tls)))
		fail("the server does not take its own ticket");
	if (result == 1)
		return true;
	if (SSL_get_error(ssl_of(tls), result) != SSL_ERROR_WANT_READ)
		fail("no TLS: %s", ERR_reason_error_string(ERR_peek_error()));
	return false;
}

static int at_most(size_t len)
{
	return len < INT_MAX ? (int)len : INT_MAX;
}

/* All that is there: what has been taken from the kernel, the kernel does not announce again. */
ssize_t tls_read(struct tls *tls, void *to, size_t room)
{
	size_t got = 0;
	int n = 1;

	ERR_clear_error();
	while (got < room && (n = SSL_read(ssl_of(tls), (char *)to + got, at_most(room - got))) > 0)
		got += (size_t)n;
	return got ? (ssize_t)got : verdict(tls, n);
}

ssize_t tls_write(struct tls *tls, const void *data, size_t len)
{
	int n;

	ERR_clear_error();
	n = SSL_write(ssl_of(tls), data, at_most(len));
	return n > 0 ? n : verdict(tls, n);
}

void tls_close(struct tls *tls)
{
	SSL_free(ssl_of(tls));
}
