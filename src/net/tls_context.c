/*
 * net/tls_context.c - what TLS connections are made from: certificates, whom to
 * trust, the settings of a server and of a client; see stream.h.
 *
 * A client keeps the latest session (ticket) of its server here, so that only the
 * first connection pays for certificates and signatures. Everything else is not
 * changed any more once it is shared by threads.
 *
 * The system's certificates are a directory, of which OpenSSL reads the file that it
 * needs when it first needs it.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "net/tls_private.h"

/* --- files -------------------------------------------------------------- */

/* OpenSSL has many words for a file without what is looked for: "unsupported" among them. */
static bool is_nothing_found(unsigned long err)
{
#ifdef ERR_LIB_OSSL_DECODER
	if (ERR_GET_LIB(err) == ERR_LIB_OSSL_DECODER)
		return true;
#endif
	if (ERR_GET_LIB(err) == ERR_LIB_X509)
		return ERR_GET_REASON(err) == X509_R_NO_CERTIFICATE_OR_CRL_FOUND;
	return ERR_GET_LIB(err) == ERR_LIB_PEM && ERR_GET_REASON(err) == PEM_R_NO_START_LINE;
}

/* The first reason it has is nearest to the cause. */
int tls_blame(struct tls_trouble *trouble, enum tls_file file)
{
	unsigned long err = ERR_peek_error();
	const char *reason = ERR_reason_error_string(err);
	char text[32];

	snprintf(text, sizeof(text), "OpenSSL error %lx", err);
	if (ERR_SYSTEM_ERROR(err))
		reason = strerror(ERR_GET_REASON(err));
	else if (is_nothing_found(err))
		reason = file == TLS_KEY ? "no private key in PEM" : "no certificate in PEM";
	trouble->file = file;
	snprintf(trouble->why, sizeof(trouble->why), "%s", reason ? reason : text);
	ERR_clear_error();
	return -EINVAL;
}

int tls_blame_text(struct tls_trouble *trouble, enum tls_file file, const char *why)
{
	trouble->file = file;
	snprintf(trouble->why, sizeof(trouble->why), "%s", why);
	ERR_clear_error();
	return -EINVAL;
}

/* Keys of another kind than the certificate's are taken, and found out by the last question. */
static int load(SSL_CTX *ctx, const char *certificate, const char *key, struct tls_trouble *trouble)
{
	static const char mismatch[] = "it does not go with the certificate";
	bool is_encrypted = false;
	int ok;

	if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1)
		return tls_blame(trouble, TLS_CERTIFICATE);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, &is_encrypted);
	ok = SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
	if (is_encrypted)
		return tls_blame_text(trouble, TLS_KEY, "it is encrypted");
	if (ok != 1 && ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_X509)
		return tls_blame_text(trouble, TLS_KEY, mismatch);
	if (ok != 1)
		return tls_blame(trouble, TLS_KEY);
	return SSL_CTX_check_private_key(ctx) == 1 ? 0 : tls_blame_text(trouble, TLS_KEY, mismatch);
}

static int trust(SSL_CTX *ctx, const char *ca_file, struct tls_trouble *trouble)
{
	int ok = ca_file ? SSL_CTX_load_verify_file(ctx, ca_file)
	                 : SSL_CTX_set_default_verify_paths(ctx);

	return ok == 1 ? 0 : tls_blame(trouble, TLS_CA);
}

/* In one sentence; `file` is that of the trouble. */
static int complain(char *why, size_t why_size, const struct tls_trouble *trouble, const char *file)
{
	static const char *const words[] = {
		[TLS_CERTIFICATE] = "certificate",
		[TLS_KEY] = "key",
		[TLS_CA] = "certificates of",
		[TLS_CIPHERS] = "ciphers",
		[TLS_CIPHERSUITES] = "ciphersuites",
		[TLS_GROUPS] = "groups",
		[TLS_NOTHING] = "memory",
	};

	snprintf(
	    why, why_size, "cannot use the %s %s: %s", words[trouble->file], file, trouble->why);
	return -EINVAL;
}

/* --- sessions of a client ----------------------------------------------- */

/* Takes `session` (NULL: none) in place of the one that is there. */
static void replace_session(struct tls_context *ctx, SSL_SESSION *session)
{
	SSL_SESSION *old;

	pthread_mutex_lock(&ctx->lock);
	old = ctx->session;
	ctx->session = session;
	pthread_mutex_unlock(&ctx->lock);
	SSL_SESSION_free(old);
}

/* Called for each ticket that arrives. The context has a copy, because OpenSSL marks the session of
 * a connection that breaks, and connections may be those of several threads. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct stream_tls *tls = SSL_get_app_data(ssl);
	SSL_SESSION *copy = tls->resumable ? SSL_SESSION_dup(session) : NULL;

	if (copy)
		replace_session(tls->ctx, copy);
	return 0; /* the reference that came along is not kept */
}

bool tls_context_offer_session(struct tls_context *ctx, SSL *ssl, const char *host)
{
	SSL_SESSION *copy = NULL;
	bool resumable;

	pthread_mutex_lock(&ctx->lock);
	if (!ctx->host)
		ctx->host = mem_strdup(host);
	resumable = ctx->host && strcasecmp(ctx->host, host) == 0;
	if (resumable && ctx->session)
		copy = SSL_SESSION_dup(ctx->session);
	pthread_mutex_unlock(&ctx->lock);
	if (copy)
		SSL_set_session(ssl, copy);
	SSL_SESSION_free(copy);
	return resumable;
}

void tls_context_drop_session(struct tls_context *ctx)
{
	replace_session(ctx, NULL);
}

/* --- settings ----------------------------------------------------------- */

static const unsigned char http11[] = "\x08http/1.1";

/* A client that offers protocols, but not HTTP/1.1, is told so in the handshake; one that offers
 * none is taken to mean HTTP/1.1. */
static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *offered, unsigned offered_len, void *arg)
{
	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len, http11,
	        sizeof(http11) - 1, offered, offered_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

/* Renegotiation and its like; see MESSAGES_MAX in stream_tls.c. */
static void count_message(
    int is_write, int version, int type, const void *p, size_t n, SSL *ssl, void *arg)
{
	struct stream_tls *tls = SSL_get_app_data(ssl);

	(void)version;
	(void)p;
	(void)n;
	(void)arg;
	if (!is_write && type == SSL3_RT_HANDSHAKE)
		tls->messages++;
}

/* An encrypted key would have OpenSSL ask for its passphrase on the terminal. `arg`: whether it has
 * asked. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	if (arg)
		*(bool *)arg = true;
	return -1;
}

/* An end without close_notify reads as an end: HTTP and WebSocket carry their own lengths, and too
 * many clients leave that way to call it an error. */
static int configure(SSL_CTX *ctx)
{
	static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20";

	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_msg_callback(ctx, count_message);
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, ciphers) != 1)
		return -ENOMEM;
	return 0;
}

static int configure_server(SSL_CTX *ctx)
{
	static const unsigned char id[] = "sockjs";

	SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets do without */
	if (SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1) != 1)
		return -ENOMEM;
	return configure(ctx);
}

/* Sessions are kept by us: OpenSSL's own cache is for servers. */
static int configure_client(SSL_CTX *ctx)
{
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, keep_session);
	if (SSL_CTX_set_alpn_protos(ctx, http11, sizeof(http11) - 1) != 0)
		return -ENOMEM;
	return configure(ctx);
}

/* --- life --------------------------------------------------------------- */

static struct tls_context *context_new(
    const SSL_METHOD *method, int (*configure_role)(SSL_CTX *), char *why, size_t why_size)
{
	struct tls_context *ctx = mem_zalloc(sizeof(*ctx));

	ERR_clear_error();
	if (ctx) {
		atomic_init(&ctx->refs, 1);
		pthread_mutex_init(&ctx->lock, NULL);
		ctx->ssl_ctx = SSL_CTX_new(method);
	}
	if (!ctx || !ctx->ssl_ctx || configure_role(ctx->ssl_ctx) < 0) {
		snprintf(why, why_size, "no memory for TLS");
		tls_context_free(ctx);
		return NULL;
	}
	return ctx;
}

/* --- of a server -------------------------------------------------------- */

/* Whoever names nobody, or somebody else, gets the first certificate: a name is what a client
 * hopes for, and it is for the client to say that it was in vain. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_context *ctx = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	long i = name ? tls_names_find(&ctx->names, name) : -1;

	(void)alert;
	if (i < 0)
		return SSL_TLSEXT_ERR_NOACK;
	if (i > 0)
		SSL_set_SSL_CTX(ssl, ctx->certificates[i].ssl_ctx);
	return SSL_TLSEXT_ERR_OK;
}

static int64_t end_of(const X509 *x)
{
	struct tm tm = { 0 };

	return ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* Each certificate is a whole context of OpenSSL, of which connections change from the first to
 * another; so all are alike but for it. */
static int add_certificate(struct tls_context *ctx, const struct tls_server_options *o, size_t i,
    struct tls_trouble *trouble)
{
	struct tls_certificate *c = &ctx->certificates[i];
	int err;

	trouble->pair = i;
	c->ssl_ctx = i == 0 ? ctx->ssl_ctx : SSL_CTX_new(TLS_server_method());
	ctx->certificate_count = i + 1;
	if (!c->ssl_ctx || (i > 0 && configure_server(c->ssl_ctx) < 0))
		return tls_blame_text(trouble, TLS_NOTHING, "no memory for TLS");
	if (!o->any_protocol)
		SSL_CTX_set_alpn_select_cb(c->ssl_ctx, select_alpn, NULL);
	if ((err = tls_settings_apply(c->ssl_ctx, o, trouble)) < 0 ||
	    (err = load(c->ssl_ctx, o->pairs[i].certificate, o->pairs[i].key, trouble)) < 0)
		return err;
	c->not_after = end_of(SSL_CTX_get0_certificate(c->ssl_ctx));
	if (tls_names_add(&ctx->names, SSL_CTX_get0_certificate(c->ssl_ctx), i) < 0)
		return tls_blame_text(trouble, TLS_NOTHING, "no memory for TLS");
	return 0;
}

static int add_certificates(
    struct tls_context *ctx, const struct tls_server_options *o, struct tls_trouble *trouble)
{
	int err = 0;

	ctx->certificates = mem_zalloc(o->pair_count * sizeof(*ctx->certificates));
	if (!ctx->certificates)
		return tls_blame_text(trouble, TLS_NOTHING, "no memory for TLS");
	for (size_t i = 0; i < o->pair_count && err == 0; i++)
		err = add_certificate(ctx, o, i, trouble);
	if (err < 0)
		return err;
	tls_names_sort(&ctx->names);
	SSL_CTX_set_tlsext_servername_callback(ctx->ssl_ctx, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(ctx->ssl_ctx, ctx);
	return 0;
}

struct tls_context *tls_context_of_server(
    const struct tls_server_options *o, struct tls_shared *shared, struct tls_trouble *trouble)
{
	struct tls_context *ctx =
	    context_new(TLS_server_method(), configure_server, trouble->why, sizeof(trouble->why));

	trouble->file = TLS_NOTHING;
	trouble->pair = 0;
	if (!ctx)
		return NULL;
	if (shared) {
		ctx->shared = tls_shared_ref(shared);
		tls_tickets_use(ctx->ssl_ctx, shared);
	}
	if (add_certificates(ctx, o, trouble) == 0)
		return ctx;
	tls_context_free(ctx);
	return NULL;
}

const char *tls_server_subject(
    const struct tls_server_options *o, const struct tls_trouble *trouble)
{
	const char *const things[] = {
		[TLS_CERTIFICATE] = o->pairs[trouble->pair].certificate,
		[TLS_KEY] = o->pairs[trouble->pair].key,
		[TLS_CA] = o->client_ca,
		[TLS_CIPHERS] = o->ciphers,
		[TLS_CIPHERSUITES] = o->ciphersuites,
		[TLS_GROUPS] = o->groups,
		[TLS_NOTHING] = "",
	};

	return things[trouble->file];
}

int tls_server_complain(const struct tls_server_options *o, const struct tls_trouble *trouble,
    char *why, size_t why_size)
{
	if (trouble->file != TLS_NOTHING)
		return complain(why, why_size, trouble, tls_server_subject(o, trouble));
	snprintf(why, why_size, "%s", trouble->why);
	return -ENOMEM;
}

struct tls_context *tls_context_new(
    const char *certificate, const char *key, char *why, size_t why_size)
{
	struct tls_pair pair = { certificate, key };
	struct tls_server_options o = { .pairs = &pair, .pair_count = 1 };
	struct tls_trouble trouble;
	struct tls_context *ctx = tls_context_of_server(&o, NULL, &trouble);

	if (!ctx)
		tls_server_complain(&o, &trouble, why, why_size);
	return ctx;
}

/* --- of a client -------------------------------------------------------- */

static int set_up_client(
    SSL_CTX *ctx, const struct tls_client_options *options, char *why, size_t why_size)
{
	struct tls_trouble trouble;
	int err = 0;

	if (!options->certificate != !options->key) {
		snprintf(why, why_size, "a certificate and its key go together");
		return -EINVAL;
	}
	if (options->certificate)
		err = load(ctx, options->certificate, options->key, &trouble);
	if (err == 0 && !options->insecure) {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
		err = trust(ctx, options->ca_file, &trouble);
	}
	if (err == 0)
		return 0;
	return complain(why, why_size, &trouble,
	    trouble.file == TLS_KEY           ? options->key
	    : trouble.file == TLS_CERTIFICATE ? options->certificate
	    : options->ca_file                ? options->ca_file
	                                      : "the system");
}

int tls_check_files(
    const char *certificate, const char *key, const char *ca_file, struct tls_trouble *trouble)
{
	struct tls_context *ctx =
	    context_new(TLS_client_method(), configure_client, trouble->why, sizeof(trouble->why));
	int err = 0;

	if (!ctx)
		return -ENOMEM;
	if (certificate && key)
		err = load(ctx->ssl_ctx, certificate, key, trouble);
	if (err == 0 && ca_file)
		err = trust(ctx->ssl_ctx, ca_file, trouble);
	tls_context_free(ctx);
	return err;
}

struct tls_context *tls_client_context_new(
    const struct tls_client_options *options, char *why, size_t why_size)
{
	struct tls_context *ctx = context_new(TLS_client_method(), configure_client, why, why_size);

	if (ctx && set_up_client(ctx->ssl_ctx, options, why, why_size) < 0) {
		tls_context_free(ctx);
		return NULL;
	}
	return ctx;
}

struct tls_context *tls_context_ref(struct tls_context *ctx)
{
	atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
	return ctx;
}

void tls_context_free(struct tls_context *ctx)
{
	if (!ctx || atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel) > 1)
		return;
	SSL_SESSION_free(ctx->session);
	for (size_t i = 1; i < ctx->certificate_count; i++)
		SSL_CTX_free(ctx->certificates[i].ssl_ctx);
	SSL_CTX_free(ctx->ssl_ctx);
	mem_free(ctx->certificates);
	tls_names_free(&ctx->names);
	tls_shared_free(ctx->shared);
	pthread_mutex_destroy(&ctx->lock);
	mem_free(ctx->host);
	mem_free(ctx);
}
