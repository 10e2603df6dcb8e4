/*
 * identity/passwords.c - questions, the worker that answers them, and what is known already; see
 * passwords.h.
 *
 * Reading order: password_table.c (the logins), password_hash.c (what takes long),
 * password_cache.c (what is known), failures.c (who guesses), and this.
 *
 * One lock guards all but the table, which never changes; it is not held while the worker hashes or
 * answers. A question is in the queue until the worker takes it, and can be joined until it has an
 * answer.
 */
#include "identity/passwords.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "identity/failures.h"
#include "identity/password_cache.h"
#include "identity/password_table.h"

#define FAILURES_PER_MINUTE 5
#define FAILURES_LOGINS     65536

struct passwords {
	struct password_table table;
	unsigned char key[PASSWORD_DIGEST]; /* of the digests */
	struct failures *failures;          /* by login */
	pthread_t worker;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	bool is_started, is_stopping;
	struct map questions; /* by digest, until they are answered */
	struct map askers;    /* by login, of the questions */
	struct list queue;    /* questions nobody has looked at yet */
	size_t waiters;
	struct password_cache cache;
};

/* A login that questions are asked about. */
struct asker {
	struct map_node node;
	unsigned questions;
	size_t login_len;
	char login[];
};

/* A login and a passcode. */
struct question {
	struct map_node node;
	struct list queue;
	struct list waiters; /* struct waiter */
	struct asker *asker;
	unsigned char digest[PASSWORD_DIGEST];
	size_t passcode_len;
	char passcode[];
};

struct waiter {
	struct list node;
	passwords_fn fn;
	void *arg;
};

static struct bytes asker_key(const struct map_node *node)
{
	const struct asker *a = container_of(node, struct asker, node);

	return (struct bytes){ a->login, a->login_len };
}

static struct bytes question_key(const struct map_node *node)
{
	const struct question *q = container_of(node, struct question, node);

	return (struct bytes){ (const char *)q->digest, PASSWORD_DIGEST };
}

/* --- questions; the lock is held ------------------------------------------------------ */

static struct asker *find_asker(const struct passwords *p, struct bytes login)
{
	struct map_node *node = map_find(&p->askers, login);

	return node ? container_of(node, struct asker, node) : NULL;
}

static struct asker *add_asker(struct passwords *p, struct bytes login)
{
	struct asker *a = find_asker(p, login);

	if (a)
		return a;
	a = mem_zalloc(sizeof(*a) + login.n);
	if (!a)
		return NULL;
	a->login_len = login.n;
	bytes_put(a->login, login);
	if (map_insert(&p->askers, &a->node) < 0) {
		mem_free(a);
		return NULL;
	}
	return a;
}

static void asker_unref(struct passwords *p, struct asker *a)
{
	if (--a->questions > 0)
		return;
	map_remove(&p->askers, &a->node);
	mem_free(a);
}

static void question_free(struct question *q)
{
	OPENSSL_cleanse(q->passcode, q->passcode_len);
	mem_free(q);
}

/* Takes its asker, if there is one. */
static struct question *question_new(
    struct passwords *p, struct asker *asker, const unsigned char *digest, struct bytes passcode)
{
	struct question *q = mem_zalloc(sizeof(*q) + passcode.n);

	if (!q)
		return NULL;
	memcpy(q->digest, digest, PASSWORD_DIGEST);
	if (map_insert(&p->questions, &q->node) < 0) {
		mem_free(q);
		return NULL;
	}
	q->asker = asker;
	q->passcode_len = passcode.n;
	bytes_put(q->passcode, passcode);
	list_init(&q->waiters);
	list_append(&p->queue, &q->queue);
	return q;
}

static struct question *add_question(
    struct passwords *p, const unsigned char *digest, struct bytes login, struct bytes passcode)
{
	struct asker *asker = add_asker(p, login);
	struct question *q;

	if (!asker)
		return NULL;
	asker->questions++;
	q = question_new(p, asker, digest, passcode);
	if (!q)
		asker_unref(p, asker);
	return q;
}

static struct question *find_question(const struct passwords *p, const unsigned char *digest)
{
	struct map_node *node =
	    map_find(&p->questions, (struct bytes){ (const char *)digest, PASSWORD_DIGEST });

	return node ? container_of(node, struct question, node) : NULL;
}

/* --- the worker ---------------------------------------------------------------------- */

/* An unknown login takes as long as a known one, and is wrong whatever comes out. */
static enum stomp_error verify(const struct passwords *p, struct question *q, struct bytes login,
    const struct password_user *user)
{
	const struct password_hash *hash =
	    user ? &user->hash : password_table_dummy(&p->table, login);
	int err = password_hash_verify(hash, (struct bytes){ q->passcode, q->passcode_len });

	OPENSSL_cleanse(q->passcode, q->passcode_len);
	if (err == 0)
		return user ? STOMP_OK : STOMP_E_UNAUTHENTICATED;
	return err == -EACCES ? STOMP_E_UNAUTHENTICATED : STOMP_E_INTERNAL;
}

/* The question is none any more: who asks again finds what is known. The lock is held. */
static void close_question(
    struct passwords *p, struct question *q, enum stomp_error verdict, struct identity *who)
{
	struct bytes login = { q->asker->login, q->asker->login_len };
	uint64_t now = clock_now();

	if (verdict == STOMP_OK || verdict == STOMP_E_UNAUTHENTICATED)
		password_cache_add(&p->cache, q->digest, now, who);
	if (verdict == STOMP_E_UNAUTHENTICATED)
		failures_note(p->failures, login, now);
	map_remove(&p->questions, &q->node);
	asker_unref(p, q->asker);
}

/* Without the lock. Returns how many waited. */
static size_t answer(struct question *q, enum stomp_error verdict, struct identity *who)
{
	size_t n = 0;

	while (!list_empty(&q->waiters)) {
		struct waiter *w = container_of(list_first(&q->waiters), struct waiter, node);

		list_remove(&w->node);
		w->fn(w->arg, verdict, who ? identity_ref(who) : NULL);
		mem_free(w);
		n++;
	}
	question_free(q);
	return n;
}

/* The lock is held before and after. */
static void work_on(struct passwords *p, struct question *q)
{
	struct bytes login = { q->asker->login, q->asker->login_len };
	const struct password_user *user = password_table_find(&p->table, login);
	enum stomp_error verdict = STOMP_E_INTERNAL;
	struct identity *who;
	size_t answered;

	list_remove(&q->queue);
	if (!p->is_stopping) {
		pthread_mutex_unlock(&p->lock);
		verdict = verify(p, q, login, user);
		pthread_mutex_lock(&p->lock);
	}
	who = verdict == STOMP_OK ? user->identity : NULL;
	close_question(p, q, verdict, who);
	pthread_mutex_unlock(&p->lock);
	answered = answer(q, verdict, who);
	pthread_mutex_lock(&p->lock);
	p->waiters -= answered;
}

static void *work(void *arg)
{
	struct passwords *p = arg;
	struct list *first;

	pthread_setname_np(pthread_self(), "passwords");
	pthread_mutex_lock(&p->lock);
	while (!p->is_stopping || !list_empty(&p->queue)) {
		first = list_first(&p->queue);
		if (first)
			work_on(p, container_of(first, struct question, queue));
		else
			pthread_cond_wait(&p->wake, &p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Signals are for the threads that wait for them. */
static bool start(struct passwords *p)
{
	sigset_t all, before;

	if (p->is_started)
		return true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	p->is_started = pthread_create(&p->worker, NULL, work, p) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return p->is_started;
}

/* --- from any thread ------------------------------------------------------------------- */

/* The length in front makes it clear where the login ends. False: OpenSSL has no memory. */
static bool make_digest(const struct passwords *p, struct bytes login, struct bytes passcode,
    unsigned char digest[PASSWORD_DIGEST])
{
	unsigned char text[2 + IDENTITY_NAME_MAX + PASSWORDS_PASSCODE_MAX];
	size_t n = 2 + login.n + passcode.n;
	bool ok;

	text[0] = (unsigned char)(login.n >> 8);
	text[1] = (unsigned char)login.n;
	bytes_put(text + 2, login);
	bytes_put(text + 2 + login.n, passcode);
	ok = HMAC(EVP_sha256(), p->key, sizeof(p->key), text, n, digest, NULL) != NULL;
	OPENSSL_cleanse(text, n);
	return ok;
}

/* A new question is worth its hash. The lock is held. */
static enum stomp_error admit(const struct passwords *p, struct bytes login)
{
	const struct asker *asker = find_asker(p, login);

	if (failures_too_many(p->failures, login, clock_now()))
		return STOMP_E_TOO_MANY_FAILURES;
	if (map_count(&p->questions) >= PASSWORDS_QUEUE_MAX)
		return STOMP_E_BUSY;
	return asker && asker->questions >= PASSWORDS_OF_LOGIN_MAX ? STOMP_E_BUSY : STOMP_OK;
}

static int wait_for(struct passwords *p, struct question *q, struct waiter *w)
{
	list_append(&q->waiters, &w->node);
	p->waiters++;
	pthread_cond_signal(&p->wake);
	return -1;
}

/* The lock is held. `w` is taken if the answer is -1. */
static int ask(struct passwords *p, const unsigned char *digest, struct bytes login,
    struct bytes passcode, struct waiter *w)
{
	struct question *q = find_question(p, digest);
	enum stomp_error verdict;

	if (p->is_stopping)
		return STOMP_E_INTERNAL;
	if (p->waiters >= PASSWORDS_WAITERS_MAX)
		return STOMP_E_BUSY;
	if (q)
		return wait_for(p, q, w);
	verdict = admit(p, login);
	if (verdict != STOMP_OK)
		return verdict;
	if (!start(p) || !(q = add_question(p, digest, login, passcode)))
		return STOMP_E_INTERNAL;
	return wait_for(p, q, w);
}

static int ask_with(struct passwords *p, const unsigned char *digest, struct bytes login,
    struct bytes passcode, struct waiter waiter)
{
	struct waiter *w = mem_alloc(sizeof(*w));
	int verdict;

	if (!w)
		return STOMP_E_INTERNAL;
	*w = waiter;
	verdict = ask(p, digest, login, passcode, w);
	if (verdict >= 0)
		mem_free(w);
	return verdict;
}

int passwords_check(struct passwords *p, struct bytes login, struct bytes passcode,
    struct identity **out, passwords_fn fn, void *arg)
{
	unsigned char digest[PASSWORD_DIGEST];
	struct identity *who;
	int verdict;

	if (login.n == 0 || login.n > IDENTITY_NAME_MAX || passcode.n > PASSWORDS_PASSCODE_MAX)
		return STOMP_E_UNAUTHENTICATED;
	if (!make_digest(p, login, passcode, digest))
		return STOMP_E_INTERNAL;
	pthread_mutex_lock(&p->lock);
	if (!password_cache_find(&p->cache, digest, clock_now(), &who)) {
		verdict =
		    ask_with(p, digest, login, passcode, (struct waiter){ .fn = fn, .arg = arg });
	} else if (who) {
		*out = identity_ref(who);
		verdict = STOMP_OK;
	} else {
		verdict = STOMP_E_UNAUTHENTICATED;
	}
	pthread_mutex_unlock(&p->lock);
	return verdict;
}

/* --- life -------------------------------------------------------------------------------- */

static struct passwords *passwords_alloc(void)
{
	struct passwords *p = mem_zalloc(sizeof(*p));

	if (!p)
		return NULL;
	password_table_init(&p->table);
	random_bytes(p->key, sizeof(p->key));
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	map_init(&p->questions, question_key, NULL);
	map_init(&p->askers, asker_key, NULL);
	list_init(&p->queue);
	password_cache_init(&p->cache);
	p->failures = failures_new(FAILURES_PER_MINUTE, FAILURES_LOGINS);
	if (!p->failures) {
		passwords_free(p);
		return NULL;
	}
	return p;
}

int passwords_new(
    struct passwords **out, const json_t *config, const char *directory, char *why, size_t size)
{
	const struct reading r = { directory, why, size };
	struct passwords *p = passwords_alloc();
	int err;

	if (!p)
		return reading_no_memory(&r);
	err = password_table_read(&p->table, &r, "users", config);
	if (err < 0) {
		passwords_free(p);
		return err;
	}
	*out = p;
	return 0;
}

static void stop(struct passwords *p)
{
	pthread_mutex_lock(&p->lock);
	p->is_stopping = true;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	if (p->is_started)
		pthread_join(p->worker, NULL);
	p->is_started = false;
}

void passwords_end(struct passwords *p)
{
	if (p)
		stop(p);
}

void passwords_free(struct passwords *p)
{
	if (!p)
		return;
	stop(p);
	password_cache_fini(&p->cache);
	password_table_fini(&p->table);
	failures_free(p->failures);
	map_fini(&p->questions);
	map_fini(&p->askers);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->wake);
	OPENSSL_cleanse(p->key, sizeof(p->key));
	mem_free(p);
}
