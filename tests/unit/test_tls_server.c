/*
 * tests/unit/test_tls_server.c - the TLS of a listener: which certificate for which name, what may
 * be spoken, tickets, certificates of clients, files that change. Against an OpenSSL client at the
 * other end of a socket pair.
 */
#include <check.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/tls_private.h"
#include "net/tls_server.h"
#include "tests/certificate.h"

#define DAY      86400
#define LIFETIME 3600000u /* of tickets; OpenSSL measures it by a clock that tests cannot set */

/* --- files, in a folder of this run -------------------------------------- */

static char folder[] = "/tmp/test_tls_server.XXXXXX";

static const char *at(const char *name)
{
	static char paths[8][100];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

/* Never at the same tick of the kernel's clock as before: what is written twice within one, and is
 * as long, has not changed as far as stat() can tell. */
static void write_pair(const char *name, const struct certificate_wish *wish)
{
	char pem[40], key[40];

	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	snprintf(pem, sizeof(pem), "%s.pem", name);
	snprintf(key, sizeof(key), "%s.key", name);
	ck_assert(certificate_write_as(wish, at(pem), at(key)));
}

static void write_server(const char *name, const char *subject, const char *names)
{
	write_pair(name,
	    &(struct certificate_wish){ .subject = subject, .names = names, .ends_in = 30 * DAY });
}

static void write_client(const char *name, const char *subject, const char *issuer)
{
	char pem[40], key[40];

	snprintf(pem, sizeof(pem), "%s.pem", issuer);
	snprintf(key, sizeof(key), "%s.key", issuer);
	write_pair(name,
	    &(struct certificate_wish){
	        .subject = subject, .issuer = at(pem), .issuer_key = at(key), .ends_in = DAY });
}

/* --- both ends ----------------------------------------------------------- */

static struct loop *loop;
static struct tls_server *server;
static struct tls_pair pairs[3];
static struct tls_server_options options;
static SSL_CTX *client_ctx;

/* A connection; there may be several. */
struct link {
	struct stream s;
	SSL *client;
	int fd;
	bool done;
	int err;
	struct tls_peer peer;
	int peer_err;
};

static void on_event(struct stream *s)
{
	char some[100];

	stream_read(s, some, sizeof(some));
}

static void on_hangup(struct stream *s, int err)
{
	(void)err;
	stream_close(s);
}

static const struct stream_events events = { on_event, on_event, on_hangup, NULL };

static void on_done(struct stream *s, int err)
{
	struct link *link = container_of(s, struct link, s);

	link->done = true;
	link->err = err;
	link->peer_err = stream_tls_peer(s, &link->peer);
	if (err < 0 || stream_want(s, STREAM_READ) < 0)
		stream_close(s);
}

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(strcpy(folder, "/tmp/test_tls_server.XXXXXX")));
	ck_assert_int_eq(loop_new(&loop), 0);
	write_server("one", "one", "DNS:one.example");
	pairs[0] = (struct tls_pair){ strdup(at("one.pem")), strdup(at("one.key")) };
	options = (struct tls_server_options){
		.pairs = pairs, .pair_count = 1, .ticket_lifetime_ms = LIFETIME
	};
	server = NULL;
	client_ctx = SSL_CTX_new(TLS_client_method());
}

static void teardown(void)
{
	char command[100];

	tls_server_free(server);
	SSL_CTX_free(client_ctx);
	loop_free(loop);
	clock_set(0);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		free((void *)(uintptr_t)pairs[i].certificate);
		free((void *)(uintptr_t)pairs[i].key);
		pairs[i] = (struct tls_pair){ 0 };
	}
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
}

static void add_pair(const char *name)
{
	char pem[40], key[40];

	snprintf(pem, sizeof(pem), "%s.pem", name);
	snprintf(key, sizeof(key), "%s.key", name);
	pairs[options.pair_count++] = (struct tls_pair){ strdup(at(pem)), strdup(at(key)) };
}

static void serve(void)
{
	char why[400] = "";
	int err = tls_server_new(&server, &options, NULL, why, sizeof(why));

	ck_assert_msg(err == 0, "%s", why);
}

/* The options cannot be used: the sentence has these words. */
static void refuses(const char *words, const char *others)
{
	struct tls_server *none = NULL;
	char why[400] = "";

	ck_assert_int_lt(tls_server_new(&none, &options, NULL, why, sizeof(why)), 0);
	ck_assert_msg(strstr(why, words) && strstr(why, others), "%s", why);
}

static void begin(struct link *link)
{
	struct tls_context *ctx = tls_server_take(server);
	int fds[2];

	memset(link, 0, sizeof(*link));
	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	stream_init(&link->s, loop, fds[0], &events);
	ck_assert_int_eq(stream_tls_accept(&link->s, ctx, on_done), 0);
	tls_context_free(ctx);
	link->fd = fds[1];
	link->client = SSL_new(client_ctx);
	SSL_set_fd(link->client, link->fd);
	SSL_set_connect_state(link->client);
}

/* Until both ends are through, or one is not. 1: it is done. */
static int shake(struct link *link)
{
	int r = 0;

	for (int i = 0; i < 100 && (r != 1 || !link->done); i++) {
		ERR_clear_error();
		r = SSL_do_handshake(link->client);
		if (r != 1 && SSL_get_error(link->client, r) != SSL_ERROR_WANT_READ)
			break;
		ck_assert_int_eq(loop_turn(loop, 0), 0);
	}
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(loop_turn(loop, 0), 0);
	return r == 1 && link->done && link->err == 0;
}

/* Takes tickets as well, which TLS 1.3 brings behind the handshake. */
static void listen_to(struct link *link)
{
	char some[10];

	SSL_read(link->client, some, sizeof(some));
	ERR_clear_error();
}

static void end(struct link *link)
{
	SSL_shutdown(link->client);
	SSL_free(link->client);
	close(link->fd);
	stream_close(&link->s);
	ck_assert_int_eq(loop_turn(loop, 0), 0);
}

/* The common name of the certificate that a client gets who asks for `name`; NULL: for none. */
static const char *shown_to(const char *name)
{
	static char text[100];
	struct link link;
	X509 *x;

	begin(&link);
	if (name)
		SSL_set_tlsext_host_name(link.client, name);
	ck_assert_int_eq(shake(&link), 1);
	x = SSL_get0_peer_certificate(link.client);
	X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, text, sizeof(text));
	end(&link);
	return text;
}

static int connects(void)
{
	struct link link;
	int ok;

	begin(&link);
	ok = shake(&link);
	end(&link);
	return ok;
}

static void speak(int lowest, int highest)
{
	SSL_CTX_set_min_proto_version(client_ctx, lowest);
	SSL_CTX_set_max_proto_version(client_ctx, highest);
}

/* --- names ---------------------------------------------------------------- */

START_TEST(each_name_has_its_certificate)
{
	write_server("two", "two", "DNS:two.example,DNS:*.two.example,IP:127.0.0.1");
	write_server("three", "three", "DNS:special.two.example,DNS:one.example");
	add_pair("two");
	add_pair("three");
	serve();
	ck_assert_str_eq(shown_to("one.example"), "one"); /* the first of those that have it */
	ck_assert_str_eq(shown_to("two.example"), "two");
	ck_assert_str_eq(shown_to("TWO.Example"), "two");
	ck_assert_str_eq(shown_to("any.two.example"), "two");
	ck_assert_str_eq(shown_to("special.two.example"), "three"); /* exactly before by pattern */
	ck_assert_str_eq(shown_to("a.b.two.example"), "one");
	ck_assert_str_eq(shown_to("two"), "one");
	ck_assert_str_eq(shown_to("elsewhere.example"), "one");
	ck_assert_str_eq(shown_to(NULL), "one");
}
END_TEST

START_TEST(a_certificate_without_names_is_for_who_names_none)
{
	write_server("bare", "bare", NULL);
	write_server("two", "two", "DNS:two.example");
	free((void *)(uintptr_t)pairs[0].certificate);
	free((void *)(uintptr_t)pairs[0].key);
	options.pair_count = 0;
	add_pair("bare");
	add_pair("two");
	serve();
	ck_assert_str_eq(shown_to("bare"), "bare");
	ck_assert_str_eq(shown_to("two.example"), "two");
}
END_TEST

START_TEST(a_pair_that_does_not_fit_is_named)
{
	write_server("two", "two", NULL);
	add_pair("two");
	free((void *)(uintptr_t)pairs[1].key);
	pairs[1].key = strdup(pairs[0].key);
	refuses(pairs[1].key, "not go with the certificate");
	free((void *)(uintptr_t)pairs[1].certificate);
	pairs[1].certificate = strdup("/nonexistent/two.pem");
	refuses("/nonexistent/two.pem", "No such file");
}
END_TEST

/* --- what is spoken ------------------------------------------------------- */

START_TEST(the_oldest_version_is_1_2_or_1_3)
{
	options.tls13_only = _i;
	serve();
	speak(0, TLS1_3_VERSION);
	ck_assert_int_eq(connects(), 1);
	speak(0, TLS1_2_VERSION);
	ck_assert_int_eq(connects(), !_i);
	SSL_CTX_set_security_level(client_ctx, 0);
	speak(TLS1_1_VERSION, TLS1_1_VERSION);
	ck_assert_int_eq(connects(), 0);
}
END_TEST

START_TEST(ciphers_and_groups_are_those_that_are_listed)
{
	struct link link;

	options.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305";
	options.ciphersuites = "TLS_AES_128_GCM_SHA256";
	options.groups = "P-384";
	serve();
	begin(&link);
	ck_assert_int_eq(shake(&link), 1);
	ck_assert_str_eq(SSL_get_cipher_name(link.client), "TLS_AES_128_GCM_SHA256");
	ck_assert_int_eq(SSL_get_shared_group(link.s.tls->ssl, 0), NID_secp384r1);
	end(&link);
	speak(0, TLS1_2_VERSION);
	begin(&link);
	ck_assert_int_eq(shake(&link), 1);
	ck_assert_str_eq(SSL_get_cipher_name(link.client), "ECDHE-ECDSA-CHACHA20-POLY1305");
	end(&link);
	SSL_CTX_set_cipher_list(client_ctx, "ECDHE-ECDSA-AES128-GCM-SHA256");
	ck_assert_int_eq(connects(), 0);
}
END_TEST

START_TEST(what_openssl_does_not_know_is_refused)
{
	options.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES182-GCM-SHA256";
	refuses("ciphers ECDHE", "does not know \"ECDHE-ECDSA-AES182-GCM-SHA256\"");
	options.ciphers = "eNULL:aNULL";
	refuses("ciphers eNULL", "nothing is left");
	options.ciphers = NULL;
	options.ciphersuites = "TLS_AES_128_GCM_SHA257";
	refuses("ciphersuites TLS_AES_128_GCM_SHA257", "does not know");
	options.ciphersuites = NULL;
	options.groups = "X25519:P-257";
	refuses("groups X25519:P-257", "does not know");
	options.groups = "X25519:P-256";
	serve();
	ck_assert_int_eq(connects(), 1);
}
END_TEST

static void offer(const char *protocols)
{
	ck_assert_int_eq(SSL_CTX_set_alpn_protos(client_ctx, (const unsigned char *)protocols,
	                     (unsigned)strlen(protocols)),
	    0);
}

static const char *chosen(struct link *link)
{
	static char text[20];
	const unsigned char *name;
	unsigned n;

	SSL_get0_alpn_selected(link->client, &name, &n);
	snprintf(text, sizeof(text), "%.*s", (int)n, (const char *)name);
	return text;
}

/* Of the second certificate, too, for which OpenSSL changes the context in midst. */
START_TEST(alpn_is_http_1_1_or_nothing)
{
	static const char *const names[] = { "one.example", "two.example" };
	struct link link;

	write_server("two", "two", "DNS:two.example");
	add_pair("two");
	serve();
	offer("\x02h2\x08http/1.1");
	begin(&link);
	SSL_set_tlsext_host_name(link.client, names[_i]);
	ck_assert_int_eq(shake(&link), 1);
	ck_assert_str_eq(chosen(&link), "http/1.1");
	end(&link);
	offer("\x02h2");
	begin(&link);
	SSL_set_tlsext_host_name(link.client, names[_i]);
	ck_assert_int_eq(shake(&link), 0);
	ck_assert_int_eq(
	    ERR_GET_REASON(ERR_peek_error()), SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
	end(&link);
}
END_TEST

START_TEST(without_http_alpn_is_not_looked_at)
{
	struct link link;

	options.any_protocol = true;
	serve();
	offer("\x05stomp");
	begin(&link);
	ck_assert_int_eq(shake(&link), 1);
	ck_assert_str_eq(chosen(&link), "");
	end(&link);
}
END_TEST

/* --- tickets --------------------------------------------------------------- */

static SSL_SESSION *session;
static const char *session_name; /* asked for; NULL: none */

/* Whether a second connection resumes the first; keeps the session of the second. */
static bool resumes(void)
{
	struct link link;
	bool reused;

	begin(&link);
	if (session_name)
		SSL_set_tlsext_host_name(link.client, session_name);
	if (session)
		SSL_set_session(link.client, session);
	ck_assert_int_eq(shake(&link), 1);
	listen_to(&link);
	reused = SSL_session_reused(link.client);
	SSL_SESSION_free(session);
	session = SSL_get1_session(link.client);
	end(&link);
	return reused;
}

static void forget_session(void)
{
	SSL_SESSION_free(session);
	session = NULL;
}

static void rewrite(const char *name, const char *subject)
{
	write_server(name, subject, "DNS:one.example");
}

/* Looks until it has an opinion; the first look finds that something has changed. */
static enum tls_follow follow(char *why)
{
	char none[400];

	if (!why)
		why = none;
	ck_assert_int_eq(tls_server_follow(server, why, 400), TLS_FOLLOW_SAME);
	return tls_server_follow(server, why, 400);
}

/* 0: TLS 1.3, 1: TLS 1.2 */
START_TEST(a_session_is_resumed_by_any_context_of_the_listener)
{
	if (_i)
		speak(0, TLS1_2_VERSION);
	serve();
	ck_assert(!resumes());
	ck_assert(resumes());
	rewrite("one", "renewed");
	ck_assert_int_eq(follow(NULL), TLS_FOLLOW_NEW);
	ck_assert(resumes());
	ck_assert_uint_eq(tls_server_counts(server).handshakes, 3);
	ck_assert_uint_eq(tls_server_counts(server).resumed, 2);
	forget_session();
}
END_TEST

/* The second certificate is another context of OpenSSL, the tickets are those of the first. */
START_TEST(a_session_is_resumed_by_name)
{
	if (_i)
		speak(0, TLS1_2_VERSION);
	write_server("two", "two", "DNS:two.example");
	add_pair("two");
	serve();
	session_name = "two.example";
	ck_assert(!resumes());
	ck_assert(resumes());
	ck_assert_str_eq(shown_to("two.example"), "two");
	forget_session();
}
END_TEST

START_TEST(keys_of_tickets_change_and_the_last_one_is_still_read)
{
	if (_i)
		speak(0, TLS1_2_VERSION);
	clock_set(1000000);
	serve();
	ck_assert(!resumes());
	clock_set(1000000 + LIFETIME - 1);
	ck_assert(resumes()); /* with TLS 1.3 a new ticket, of the first key as well */
	clock_set(1000000 + LIFETIME + 1);
	ck_assert(resumes()); /* and now one of the second */
	clock_set(1000000 + 2 * LIFETIME + 2);
	ck_assert(resumes());
	clock_set(1000000 + 5 * LIFETIME);
	ck_assert(!resumes());
	ck_assert(resumes());
	forget_session();
}
END_TEST

/* It has been read by the second key's time, and nobody can any more in the third's. */
START_TEST(a_key_is_forgotten_after_twice_the_lifetime)
{
	SSL_SESSION *old;

	clock_set(1000000);
	serve();
	ck_assert(!resumes());
	old = session;
	SSL_SESSION_up_ref(old);
	clock_set(1000000 + 2 * LIFETIME - 1);
	forget_session();
	ck_assert(!resumes()); /* somebody: a second key is made */
	clock_set(1000000 + 2 * LIFETIME + 1);
	forget_session();
	session = old;
	ck_assert(!resumes());
	forget_session();
}
END_TEST

START_TEST(without_a_lifetime_nothing_is_resumed)
{
	if (_i)
		speak(0, TLS1_2_VERSION);
	options.ticket_lifetime_ms = 0;
	serve();
	ck_assert(!resumes());
	ck_assert(!resumes());
	forget_session();
}
END_TEST

START_TEST(two_listeners_do_not_read_each_others_tickets)
{
	struct tls_server *other;

	serve();
	ck_assert(!resumes());
	other = server;
	serve();
	ck_assert(!resumes());
	forget_session();
	tls_server_free(other);
}
END_TEST

/* --- certificates of clients ------------------------------------------------ */

static void ask_clients(enum tls_client_certificate wish)
{
	write_pair("ca",
	    &(struct certificate_wish){ .subject = "CA", .is_authority = true, .ends_in = DAY });
	options.client_ca = strdup(at("ca.pem"));
	options.client_certificate = wish;
	serve();
}

static void use_certificate(const char *name)
{
	char pem[40], key[40];

	snprintf(pem, sizeof(pem), "%s.pem", name);
	snprintf(key, sizeof(key), "%s.key", name);
	ck_assert_int_eq(SSL_CTX_use_certificate_chain_file(client_ctx, at(pem)), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(client_ctx, at(key), SSL_FILETYPE_PEM), 1);
}

static X509 *read_pem(const char *name)
{
	FILE *f = fopen(at(name), "r");
	X509 *x = PEM_read_X509(f, NULL, NULL, NULL);

	fclose(f);
	return x;
}

static void fingerprint_of(const char *name, char text[65])
{
	X509 *x = read_pem(name);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n;

	X509_digest(x, EVP_sha256(), digest, &n);
	for (unsigned i = 0; i < 32; i++)
		sprintf(text + 2 * i, "%02x", digest[i]);
	X509_free(x);
}

/* 0 and 1: TLS 1.3, 2 and 3: TLS 1.2; even: optional, odd: required */
START_TEST(a_good_certificate_tells_who_the_client_is)
{
	char fingerprint[65];
	struct link link;

	if (_i & 2)
		speak(0, TLS1_2_VERSION);
	ask_clients(_i & 1 ? TLS_CLIENT_REQUIRED : TLS_CLIENT_OPTIONAL);
	write_client("alice", "Alice \xc3\x84, \"the first\"", "ca");
	use_certificate("alice");
	begin(&link);
	ck_assert_int_eq(shake(&link), 1);
	ck_assert_int_eq(link.peer_err, 0);
	ck_assert_str_eq(link.peer.subject, "CN=Alice \\C3\\84\\, \\\"the first\\\"");
	fingerprint_of("alice.pem", fingerprint);
	ck_assert_str_eq(link.peer.fingerprint, fingerprint);
	end(&link);
	free((void *)(uintptr_t)options.client_ca);
}
END_TEST

START_TEST(a_client_without_one_may_come_or_not)
{
	struct link link;

	if (_i & 2)
		speak(0, TLS1_2_VERSION);
	ask_clients(_i & 1 ? TLS_CLIENT_REQUIRED : TLS_CLIENT_OPTIONAL);
	begin(&link);
	shake(&link);
	ck_assert(link.done);
	ck_assert_int_eq(link.err == 0, !(_i & 1));
	if (link.err == 0)
		ck_assert_int_eq(link.peer_err, -ENOENT);
	end(&link);
	free((void *)(uintptr_t)options.client_ca);
}
END_TEST

/* A stranger's, one that has ended, and one that is its own authority. */
START_TEST(a_certificate_that_is_not_good_ends_the_handshake)
{
	struct link link;

	ask_clients(TLS_CLIENT_OPTIONAL);
	write_pair("other",
	    &(struct certificate_wish){ .subject = "CA", .is_authority = true, .ends_in = DAY });
	write_client("stranger", "alice", "other");
	write_pair("ended", &(struct certificate_wish){ .subject = "alice",
	                        .issuer = at("ca.pem"),
	                        .issuer_key = at("ca.key"),
	                        .ends_in = -10 });
	write_server("self", "alice", NULL);
	use_certificate(_i == 0 ? "stranger" : _i == 1 ? "ended" : "self");
	begin(&link);
	shake(&link);
	ck_assert(link.done);
	ck_assert_int_eq(link.err, -EKEYREJECTED);
	end(&link);
	free((void *)(uintptr_t)options.client_ca);
}
END_TEST

static void one_shake_ends_with(int err)
{
	struct link link;

	begin(&link);
	shake(&link);
	ck_assert(link.done);
	ck_assert_int_eq(link.err, err);
	end(&link);
}

/* An authority that another has signed, and a client whom nobody in the file has signed, by itself.
 */
START_TEST(whoever_is_in_the_file_is_believed)
{
	write_pair("root",
	    &(struct certificate_wish){ .subject = "root", .is_authority = true, .ends_in = DAY });
	write_pair("middle", &(struct certificate_wish){ .subject = "middle",
	                         .issuer = at("root.pem"),
	                         .issuer_key = at("root.key"),
	                         .is_authority = true,
	                         .ends_in = DAY });
	write_client("alice", "alice", "middle");
	write_client("bob", "bob", "middle");
	options.client_ca = strdup(at(_i ? "alice.pem" : "middle.pem"));
	options.client_certificate = TLS_CLIENT_REQUIRED;
	serve();
	use_certificate("alice");
	one_shake_ends_with(0);
	use_certificate("bob");
	one_shake_ends_with(_i ? -EKEYREJECTED : 0);
	free((void *)(uintptr_t)options.client_ca);
}
END_TEST

/* Appends to ca.pem its list of those that are revoked: `name`. */
static void write_revoked(const char *name)
{
	X509 *ca = read_pem("ca.pem"), *x = read_pem(name);
	FILE *f = fopen(at("ca.key"), "r");
	EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	ASN1_TIME *when = ASN1_TIME_set(NULL, time(NULL) - 60);
	X509_REVOKED *revoked = X509_REVOKED_new();
	X509_CRL *list = X509_CRL_new();

	fclose(f);
	X509_REVOKED_set_serialNumber(revoked, X509_get_serialNumber(x));
	X509_REVOKED_set_revocationDate(revoked, when);
	X509_CRL_set_version(list, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(list, X509_get_subject_name(ca));
	X509_CRL_set1_lastUpdate(list, when);
	ASN1_TIME_set(when, time(NULL) + DAY);
	X509_CRL_set1_nextUpdate(list, when);
	X509_CRL_add0_revoked(list, revoked);
	ck_assert_int_gt(X509_CRL_sign(list, key, EVP_sha256()), 0);
	f = fopen(at("ca.pem"), "a");
	ck_assert_int_eq(PEM_write_X509_CRL(f, list), 1);
	fclose(f);
	X509_CRL_free(list);
	ASN1_TIME_free(when);
	EVP_PKEY_free(key);
	X509_free(x);
	X509_free(ca);
}

START_TEST(who_is_revoked_does_not_come_in)
{
	ask_clients(TLS_CLIENT_REQUIRED);
	write_client("alice", "alice", "ca");
	write_client("bob", "bob", "ca");
	use_certificate("alice");
	one_shake_ends_with(0);
	write_revoked("alice.pem");
	ck_assert_int_eq(follow(NULL), TLS_FOLLOW_NEW);
	one_shake_ends_with(-EKEYREJECTED);
	use_certificate("bob");
	one_shake_ends_with(0);
	free((void *)(uintptr_t)options.client_ca);
}
END_TEST

/* What is resumed would prove nothing of today. */
START_TEST(who_shows_a_certificate_shows_it_each_time)
{
	if (_i)
		speak(0, TLS1_2_VERSION);
	ask_clients(TLS_CLIENT_OPTIONAL);
	write_client("alice", "alice", "ca");
	use_certificate("alice");
	ck_assert(!resumes());
	ck_assert(!resumes());
	forget_session();
	free((void *)(uintptr_t)options.client_ca);
}
END_TEST

/* The second certificate of the server is another context of OpenSSL. */
START_TEST(clients_are_asked_whatever_name_they_ask_for)
{
	struct link link;

	write_server("two", "two", "DNS:two.example");
	add_pair("two");
	ask_clients(TLS_CLIENT_REQUIRED);
	begin(&link);
	SSL_set_tlsext_host_name(link.client, "two.example");
	shake(&link);
	ck_assert_int_lt(link.err, 0);
	end(&link);
	write_client("alice", "alice", "ca");
	use_certificate("alice");
	begin(&link);
	SSL_set_tlsext_host_name(link.client, "two.example");
	ck_assert_int_eq(shake(&link), 1);
	ck_assert_str_eq(link.peer.subject, "CN=alice");
	end(&link);
	free((void *)(uintptr_t)options.client_ca);
}
END_TEST

START_TEST(who_is_not_asked_has_no_certificate)
{
	struct link link;

	serve();
	write_pair("ca",
	    &(struct certificate_wish){ .subject = "CA", .is_authority = true, .ends_in = DAY });
	write_client("alice", "alice", "ca");
	use_certificate("alice");
	begin(&link);
	ck_assert_int_eq(shake(&link), 1);
	ck_assert_int_eq(link.peer_err, -ENOENT);
	end(&link);
}
END_TEST

/* --- files that change ------------------------------------------------------ */

START_TEST(renewed_files_are_for_new_connections)
{
	struct link old;
	char byte = 0;

	serve();
	begin(&old);
	ck_assert_int_eq(shake(&old), 1);
	ck_assert_int_eq(follow(NULL), TLS_FOLLOW_SAME);
	rewrite("one", "renewed");
	ck_assert_str_eq(shown_to(NULL), "one");
	ck_assert_int_eq(follow(NULL), TLS_FOLLOW_NEW);
	ck_assert_str_eq(shown_to(NULL), "renewed");
	ck_assert_int_eq(follow(NULL), TLS_FOLLOW_SAME);
	ck_assert_int_eq(SSL_write(old.client, &byte, 1), 1);
	ck_assert_int_eq(loop_turn(loop, 0), 0);
	ck_assert(stream_is_open(&old.s));
	end(&old);
}
END_TEST

/* As long as it changes at each look it is left alone: the key may come in a moment. */
START_TEST(files_are_read_when_they_have_settled)
{
	char why[400];

	serve();
	for (int i = 0; i < 5; i++) {
		rewrite("one", "renewed");
		ck_assert_int_eq(tls_server_follow(server, why, sizeof(why)), TLS_FOLLOW_SAME);
	}
	ck_assert_str_eq(shown_to(NULL), "one");
	ck_assert_int_eq(tls_server_follow(server, why, sizeof(why)), TLS_FOLLOW_NEW);
}
END_TEST

START_TEST(what_cannot_be_used_is_not_used_and_the_log_hears_why)
{
	char why[400] = "";

	serve();
	ck_assert_int_eq(unlink(at("one.key")), 0);
	ck_assert_int_eq(follow(why), TLS_FOLLOW_FAILED);
	ck_assert_msg(strstr(why, "one.key") && strstr(why, "No such file"), "%s", why);
	ck_assert_str_eq(shown_to(NULL), "one");
	ck_assert_int_eq(follow(why), TLS_FOLLOW_SAME);
	write_server("two", "two", NULL);
	ck_assert_int_eq(rename(at("two.key"), at("one.key")), 0);
	ck_assert_int_eq(follow(why), TLS_FOLLOW_FAILED);
	ck_assert_msg(strstr(why, "not go with the certificate"), "%s", why);
	ck_assert_int_eq(rename(at("two.pem"), at("one.pem")), 0);
	ck_assert_int_eq(follow(why), TLS_FOLLOW_NEW);
	ck_assert_str_eq(shown_to(NULL), "two");
}
END_TEST

/* What failed for a reason that no file shows, as with no descriptors left, is tried again. */
START_TEST(a_failure_is_tried_again_after_a_while)
{
	char why[400];
	int tries = 0;

	serve();
	rewrite("one", "renewed");
	ck_assert_int_eq(tls_server_follow(server, why, sizeof(why)), TLS_FOLLOW_SAME);
	mem_fail_at(2); /* behind the stamps of the look */
	ck_assert_int_eq(tls_server_follow(server, why, sizeof(why)), TLS_FOLLOW_FAILED);
	mem_fail_at(0);
	while (tls_server_follow(server, why, sizeof(why)) == TLS_FOLLOW_SAME)
		ck_assert_int_lt(++tries, 1000);
	ck_assert_int_gt(tries, 1);
	ck_assert_str_eq(shown_to(NULL), "renewed");
}
END_TEST

static void link_pair(const char *to)
{
	char pem[40], key[40];

	snprintf(pem, sizeof(pem), "%s.pem", to);
	snprintf(key, sizeof(key), "%s.key", to);
	unlink(at("live.pem"));
	unlink(at("live.key"));
	ck_assert_int_eq(symlink(pem, at("live.pem")), 0);
	ck_assert_int_eq(symlink(key, at("live.key")), 0);
}

/* As certbot does it: 0. As Kubernetes does it, with a link to a directory: 1. */
START_TEST(links_may_lead_elsewhere)
{
	write_server("two", "two", NULL);
	options.pair_count = 0;
	free((void *)(uintptr_t)pairs[0].certificate);
	free((void *)(uintptr_t)pairs[0].key);
	if (_i == 0) {
		link_pair("one");
		add_pair("live");
	} else {
		mkdir(at("a"), 0700);
		mkdir(at("b"), 0700);
		rename(at("one.pem"), at("a/tls.pem"));
		rename(at("one.key"), at("a/tls.key"));
		rename(at("two.pem"), at("b/tls.pem"));
		rename(at("two.key"), at("b/tls.key"));
		ck_assert_int_eq(symlink("a", at("data")), 0);
		add_pair("data/tls");
	}
	serve();
	ck_assert_str_eq(shown_to(NULL), "one");
	if (_i == 0) {
		link_pair("two");
	} else {
		ck_assert_int_eq(symlink("b", at("next")), 0);
		ck_assert_int_eq(rename(at("next"), at("data")), 0);
	}
	ck_assert_int_eq(follow(NULL), TLS_FOLLOW_NEW);
	ck_assert_str_eq(shown_to(NULL), "two");
}
END_TEST

START_TEST(who_may_sign_for_clients_may_change)
{
	struct link link;

	ask_clients(TLS_CLIENT_REQUIRED);
	write_pair("other",
	    &(struct certificate_wish){ .subject = "other", .is_authority = true, .ends_in = DAY });
	write_client("alice", "alice", "ca");
	use_certificate("alice");
	ck_assert_int_eq(connects(), 1);
	ck_assert_int_eq(rename(at("other.pem"), at("ca.pem")), 0);
	ck_assert_int_eq(follow(NULL), TLS_FOLLOW_NEW);
	begin(&link);
	shake(&link);
	ck_assert_int_eq(link.err, -EKEYREJECTED);
	end(&link);
	free((void *)(uintptr_t)options.client_ca);
}
END_TEST

/* Threads begin connections while the files change beneath them. */
static atomic_bool is_over;

static void *begin_and_end(void *arg)
{
	struct loop *own;
	struct stream s;
	unsigned *n = arg;

	ck_assert_int_eq(loop_new(&own), 0);
	while (!atomic_load(&is_over)) {
		struct tls_context *ctx = tls_server_take(server);
		int64_t not_after;
		const char *file;
		int fds[2];

		ck_assert(tls_server_certificate(server, 0, &file, &not_after));
		ck_assert_int_eq(
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
		stream_init(&s, own, fds[0], &events);
		ck_assert_int_eq(stream_tls_accept(&s, ctx, on_done), 0);
		tls_context_free(ctx);
		ck_assert_int_eq(loop_turn(own, 0), 0);
		stream_close(&s);
		close(fds[1]);
		ck_assert_int_eq(loop_turn(own, 0), 0);
		++*n;
	}
	loop_free(own);
	return NULL;
}

START_TEST(threads_go_on_while_files_change)
{
	pthread_t threads[2];
	unsigned begun[2] = { 0 }, renewed = 0;

	serve();
	atomic_store(&is_over, false);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, begin_and_end, &begun[i]), 0);
	for (int i = 0; i < 20; i++) {
		rewrite("one", "renewed");
		renewed += follow(NULL) == TLS_FOLLOW_NEW;
	}
	atomic_store(&is_over, true);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_eq(renewed, 20);
	ck_assert_uint_gt(begun[0] + begun[1], 0);
	ck_assert_uint_eq(tls_server_counts(server).under_way, 0);
	ck_assert_str_eq(shown_to(NULL), "renewed");
}
END_TEST

/* --- what is known of it ----------------------------------------------------- */

START_TEST(the_end_of_each_certificate_is_known_and_changes_with_the_file)
{
	int64_t now = (int64_t)time(NULL), not_after;
	const char *file;

	write_server("two", "two", NULL);
	add_pair("two");
	serve();
	ck_assert(tls_server_certificate(server, 1, &file, &not_after));
	ck_assert_str_eq(file, pairs[1].certificate);
	ck_assert_int_ge(not_after, now + 30 * DAY - 60);
	ck_assert_int_le(not_after, now + 30 * DAY + 600);
	ck_assert(!tls_server_certificate(server, 2, &file, &not_after));
	write_pair("two", &(struct certificate_wish){ .subject = "two", .ends_in = -DAY });
	ck_assert_int_eq(follow(NULL), TLS_FOLLOW_NEW);
	ck_assert(tls_server_certificate(server, 1, &file, &not_after));
	ck_assert_int_lt(not_after, now);
}
END_TEST

START_TEST(handshakes_are_counted_while_they_are_under_way)
{
	struct link a, b, c;

	serve();
	begin(&a);
	begin(&b);
	begin(&c);
	ck_assert_uint_eq(tls_server_counts(server).under_way, 3);
	ck_assert_int_eq(shake(&a), 1);
	ck_assert_uint_eq(tls_server_counts(server).under_way, 2);
	end(&b); /* it leaves in the midst of it */
	ck_assert_uint_eq(tls_server_counts(server).under_way, 1);
	ck_assert_int_eq(write(c.fd, "GET / HTTP/1.1\r\n", 16), 16);
	ck_assert_int_eq(loop_turn(loop, 0), 0);
	ck_assert(c.done);
	ck_assert_int_lt(c.err, 0);
	ck_assert_uint_eq(tls_server_counts(server).under_way, 0);
	ck_assert_uint_eq(tls_server_counts(server).handshakes, 1);
	end(&c);
	end(&a);
	ck_assert_uint_eq(tls_server_counts(server).under_way, 0);
}
END_TEST

/* Each call for memory fails in turn, until none is left that could. */
START_TEST(without_memory_there_is_no_server_and_nothing_leaks)
{
	char why[400];
	int i = 1;

	write_server("two", "two", "DNS:two.example");
	add_pair("two");
	for (;; i++) {
		int err;

		mem_fail_at(i);
		why[0] = '\0';
		err = tls_server_new(&server, &options, NULL, why, sizeof(why));
		mem_fail_at(0);
		if (err == 0)
			break;
		ck_assert_str_ne(why, "");
		server = NULL;
	}
	ck_assert_int_gt(i, 5);
	ck_assert_str_eq(shown_to("two.example"), "two");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tls_server");
	TCase *tc = tcase_create("tls_server");
	SRunner *runner;
	int failed;

	signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to whom it lost */
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, each_name_has_its_certificate);
	tcase_add_test(tc, a_certificate_without_names_is_for_who_names_none);
	tcase_add_test(tc, a_pair_that_does_not_fit_is_named);
	tcase_add_loop_test(tc, the_oldest_version_is_1_2_or_1_3, 0, 2);
	tcase_add_test(tc, ciphers_and_groups_are_those_that_are_listed);
	tcase_add_test(tc, what_openssl_does_not_know_is_refused);
	tcase_add_loop_test(tc, alpn_is_http_1_1_or_nothing, 0, 2);
	tcase_add_test(tc, without_http_alpn_is_not_looked_at);
	tcase_add_loop_test(tc, a_session_is_resumed_by_any_context_of_the_listener, 0, 2);
	tcase_add_loop_test(tc, a_session_is_resumed_by_name, 0, 2);
	tcase_add_loop_test(tc, keys_of_tickets_change_and_the_last_one_is_still_read, 0, 2);
	tcase_add_test(tc, a_key_is_forgotten_after_twice_the_lifetime);
	tcase_add_loop_test(tc, without_a_lifetime_nothing_is_resumed, 0, 2);
	tcase_add_test(tc, two_listeners_do_not_read_each_others_tickets);
	tcase_add_loop_test(tc, a_good_certificate_tells_who_the_client_is, 0, 4);
	tcase_add_loop_test(tc, a_client_without_one_may_come_or_not, 0, 4);
	tcase_add_loop_test(tc, a_certificate_that_is_not_good_ends_the_handshake, 0, 3);
	tcase_add_loop_test(tc, whoever_is_in_the_file_is_believed, 0, 2);
	tcase_add_test(tc, who_is_revoked_does_not_come_in);
	tcase_add_loop_test(tc, who_shows_a_certificate_shows_it_each_time, 0, 2);
	tcase_add_test(tc, clients_are_asked_whatever_name_they_ask_for);
	tcase_add_test(tc, who_is_not_asked_has_no_certificate);
	tcase_add_test(tc, renewed_files_are_for_new_connections);
	tcase_add_test(tc, files_are_read_when_they_have_settled);
	tcase_add_test(tc, what_cannot_be_used_is_not_used_and_the_log_hears_why);
	tcase_add_test(tc, a_failure_is_tried_again_after_a_while);
	tcase_add_loop_test(tc, links_may_lead_elsewhere, 0, 2);
	tcase_add_test(tc, who_may_sign_for_clients_may_change);
	tcase_add_test(tc, threads_go_on_while_files_change);
	tcase_add_test(tc, the_end_of_each_certificate_is_known_and_changes_with_the_file);
	tcase_add_test(tc, handshakes_are_counted_while_they_are_under_way);
	tcase_add_test(tc, without_memory_there_is_no_server_and_nothing_leaks);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
