/*
 * tests/unit/test_passwords.c - logins and passcodes: what is right, what it costs, and whom a
 * crowd keeps waiting. And the table of who fails too often.
 */
#include "identity/passwords.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "identity/failures.h"
#include "identity/password_cache.h"
#include "identity/password_hash.h"

/* Passcodes "pw-alice" and "correct horse", hashed elsewhere (Python's hashlib). */
#define ALICE_HASH                                                                                 \
	"$scrypt$ln=14,r=8,p=1$c2FsdCBvZiBhbGljZSAxNg"                                             \
	"$KZirNgsQ3rMzOkwbKzbLS0ttPK+1m2ntenpbiov+MH0"
#define BOB_HASH                                                                                   \
	"$pbkdf2-sha256$i=20000$c2FsdHNhbHQ"                                                       \
	"$p5NgUn9U/yqj/QTv3IRpg7Og7fU3wYLGXlypQpmRtm8"
/* "pw", with so little work that a test can afford it. */
#define CHEAP "$pbkdf2-sha256$i=1000$c2FsdHNhbHQ$A+Pkljr7A4W/zbzUWSStAQ"

#define WAITING -1

static struct passwords *passwords;
static char why[400];

static atomic_int answers, good, wrong, internal;
static char last_name[300];
static pthread_mutex_t last_lock = PTHREAD_MUTEX_INITIALIZER;

static int try_text(const char *text)
{
	json_t *config = json_loads(text, JSON_DECODE_ANY, NULL);
	int err;

	ck_assert_msg(config != NULL, "%s", text);
	err = passwords_new(&passwords, config, "/nowhere", why, sizeof(why));
	json_decref(config);
	return err;
}

static void make(const char *text)
{
	ck_assert_msg(try_text(text) == 0, "%s", why);
}

static void setup(void)
{
	answers = good = wrong = internal = 0;
	make("[{\"login\": \"alice\", \"password\": \"" ALICE_HASH "\", \"roles\": [\"admin\"]},"
	     " {\"login\": \"bob\", \"password\": \"" BOB_HASH "\", \"roles\": []},"
	     " {\"login\": \"cheap\", \"password\": \"" CHEAP "\"}]");
}

static void teardown(void)
{
	passwords_free(passwords);
	passwords = NULL;
	clock_set(0);
}

static void on_answer(void *arg, enum stomp_error verdict, struct identity *who)
{
	(void)arg;
	if (who) {
		pthread_mutex_lock(&last_lock);
		snprintf(last_name, sizeof(last_name), "%s", who->name);
		pthread_mutex_unlock(&last_lock);
		identity_unref(who);
	}
	good += verdict == STOMP_OK;
	wrong += verdict == STOMP_E_UNAUTHENTICATED;
	internal += verdict == STOMP_E_INTERNAL;
	answers++;
}

static int check(const char *login, const char *passcode)
{
	struct identity *who = NULL;
	int verdict =
	    passwords_check(passwords, bytes_of(login), bytes_of(passcode), &who, on_answer, NULL);

	ck_assert((who != NULL) == (verdict == STOMP_OK));
	if (who)
		ck_assert_str_eq(who->name, login);
	identity_unref(who);
	return verdict;
}

static void await(int n)
{
	for (int i = 0; i < 60000 && answers < n; i++)
		usleep(1000);
	ck_assert_int_eq(answers, n);
}

/* What becomes of it, at once or later. */
static int ask(const char *login, const char *passcode)
{
	int before = answers, were_good = good, were_wrong = wrong;
	int verdict = check(login, passcode);

	if (verdict != WAITING)
		return verdict;
	await(before + 1);
	if (good > were_good)
		return STOMP_OK;
	return wrong > were_wrong ? STOMP_E_UNAUTHENTICATED : STOMP_E_INTERNAL;
}

/* --- what is right --------------------------------------------------------------------- */

START_TEST(a_right_passcode_gives_the_identity_of_its_login)
{
	ck_assert_int_eq(ask("alice", "pw-alice"), STOMP_OK);
	ck_assert_str_eq(last_name, "alice");
	ck_assert_int_eq(ask("bob", "correct horse"), STOMP_OK);
	ck_assert_str_eq(last_name, "bob");
}
END_TEST

START_TEST(roles_come_with_it)
{
	struct identity *who = NULL;

	ck_assert_int_eq(ask("alice", "pw-alice"), STOMP_OK);
	ck_assert_int_eq(
	    passwords_check(passwords, BYTES("alice"), BYTES("pw-alice"), &who, on_answer, NULL),
	    STOMP_OK);
	ck_assert(identity_has_role(who, "admin"));
	identity_unref(who);
}
END_TEST

START_TEST(anything_else_is_wrong)
{
	ck_assert_int_eq(ask("alice", "pw-alic"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(ask("alice", "pw-alice "), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(ask("alice", ""), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(ask("Alice", "pw-alice"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(ask("bob", "pw-alice"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(ask("alic", "epw-alice"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(ask("", "pw-alice"), STOMP_E_UNAUTHENTICATED);
}
END_TEST

/* The dummy is the hash of somebody. */
START_TEST(an_unknown_login_is_wrong_whatever_its_passcode)
{
	ck_assert_int_eq(ask("nobody", "pw"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(ask("nobody", "pw-alice"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(ask("nobody", "correct horse"), STOMP_E_UNAUTHENTICATED);
}
END_TEST

START_TEST(a_nul_does_not_end_a_passcode)
{
	struct identity *who = NULL;

	ck_assert_int_eq(
	    passwords_check(passwords, BYTES("cheap"), BYTES("pw\0x"), &who, on_answer, NULL),
	    WAITING);
	await(1);
	ck_assert_int_eq(wrong, 1);
	ck_assert_int_eq(
	    passwords_check(passwords, BYTES("cheap\0"), BYTES("pw"), &who, on_answer, NULL),
	    WAITING);
	await(2);
	ck_assert_int_eq(wrong, 2);
}
END_TEST

START_TEST(what_is_too_long_is_wrong_at_once)
{
	char text[PASSWORDS_PASSCODE_MAX + 2];

	memset(text, 'x', sizeof(text));
	text[PASSWORDS_PASSCODE_MAX + 1] = '\0';
	ck_assert_int_eq(check("alice", text), STOMP_E_UNAUTHENTICATED);
	text[PASSWORDS_PASSCODE_MAX] = '\0';
	ck_assert_int_eq(ask("cheap", text), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(answers, 1);
	ck_assert_int_eq(check(text, "x"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(answers, 1);
}
END_TEST

START_TEST(what_passwords_hash_makes_is_accepted)
{
	char phc[200], again[200], config[400];

	ck_assert_int_eq(passwords_hash("s\xc3\xa9same", phc, sizeof(phc)), 0);
	ck_assert_int_eq(passwords_hash("s\xc3\xa9same", again, sizeof(again)), 0);
	ck_assert_str_ne(phc, again);
	ck_assert_int_lt(passwords_hash("x", phc, 20), 0);
	ck_assert_int_eq(passwords_hash("s\xc3\xa9same", phc, sizeof(phc)), 0);
	passwords_free(passwords);
	snprintf(config, sizeof(config), "[{\"login\": \"eve\", \"password\": \"%s\"}]", phc);
	make(config);
	ck_assert_int_eq(ask("eve", "s\xc3\xa9same"), STOMP_OK);
	ck_assert_int_eq(ask("eve", "sesame"), STOMP_E_UNAUTHENTICATED);
}
END_TEST

/* --- what is known ------------------------------------------------------------------------ */

START_TEST(what_was_verified_is_known_for_ten_minutes)
{
	clock_set(1000000);
	ck_assert_int_eq(ask("cheap", "pw"), STOMP_OK);
	ck_assert_int_eq(check("cheap", "pw"), STOMP_OK);
	clock_set(1000000 + 599999);
	ck_assert_int_eq(check("cheap", "pw"), STOMP_OK);
	clock_set(1000000 + 2 * 599999); /* from when it was last used */
	ck_assert_int_eq(check("cheap", "pw"), STOMP_OK);
	clock_set(1000000 + 2 * 599999 + 600000);
	ck_assert_int_eq(ask("cheap", "pw"), STOMP_OK);
	ck_assert_int_eq(answers, 2);
}
END_TEST

START_TEST(what_is_known_says_nothing_of_another_login)
{
	ck_assert_int_eq(ask("cheap", "pw"), STOMP_OK);
	ck_assert_int_eq(ask("cheapp", "w"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(ask("chea", "ppw"), STOMP_E_UNAUTHENTICATED);
}
END_TEST

START_TEST(what_is_wrong_is_known_for_five_seconds)
{
	clock_set(1000000);
	ck_assert_int_eq(ask("cheap", "no"), STOMP_E_UNAUTHENTICATED);
	clock_set(1004999);
	ck_assert_int_eq(check("cheap", "no"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(answers, 1);
	clock_set(1005000);
	ck_assert_int_eq(check("cheap", "no"), WAITING);
	await(2);
}
END_TEST

START_TEST(what_is_known_is_bounded)
{
	struct password_cache cache;
	unsigned char digest[PASSWORD_DIGEST] = { 0 };
	struct identity *who = identity_new("x", NULL, NULL, 0), *found;

	password_cache_init(&cache);
	for (int i = 0; i < 3 * PASSWORD_VERIFIED_MAX; i++) {
		memcpy(digest, &i, sizeof(i));
		password_cache_add(&cache, digest, 1000, i % 3 ? NULL : who);
	}
	ck_assert_uint_eq(map_count(&cache.map), PASSWORD_VERIFIED_MAX + PASSWORD_REFUSED_MAX);
	memset(digest, 0, sizeof(digest)); /* the first good one; wrong ones do not push it out */
	ck_assert(password_cache_find(&cache, digest, 1000, &found) && found == who);
	memcpy(digest, &(int){ 1 }, sizeof(int));
	ck_assert(!password_cache_find(&cache, digest, 1000, &found));
	ck_assert(!password_cache_find(&cache, digest, 1000000000, &found));
	ck_assert_uint_eq(map_count(&cache.map), 0);
	ck_assert_uint_eq(who->refs, 1);
	password_cache_fini(&cache);
	identity_unref(who);
}
END_TEST

/* --- the queue ------------------------------------------------------------------------------ */

/* One that takes its time, so that the worker is still at it when something else happens. */
static void make_slow(void)
{
	passwords_free(passwords);
	make("[{\"login\": \"slow\", \"password\": \"$scrypt$ln=17,r=8,p=1$"
	     "c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA\"}]");
}

START_TEST(who_asks_the_same_waits_for_the_same_hash)
{
	int waiting = 0;

	for (int i = 0; i < 1000; i++)
		waiting += check("alice", "pw-alice") == WAITING;
	await(waiting);
	ck_assert_int_gt(waiting, 1);
	ck_assert_int_eq(good, waiting);
}
END_TEST

START_TEST(one_login_has_few_places_in_the_queue)
{
	char passcode[20];
	int waiting = 0, busy = 0;

	for (int i = 0; i < 100; i++) {
		snprintf(passcode, sizeof(passcode), "wrong %d", i);
		switch (check("alice", passcode)) {
		case WAITING:
			waiting++;
			break;
		case STOMP_E_BUSY:
			busy++;
			break;
		default:
			break;
		}
	}
	ck_assert_int_ge(waiting, PASSWORDS_OF_LOGIN_MAX);
	ck_assert_int_le(waiting, 2 * PASSWORDS_OF_LOGIN_MAX + 1);
	ck_assert_int_gt(busy, 0);
	ck_assert_int_eq(check("bob", "correct horse"), WAITING);
	await(waiting + 1);
	ck_assert_int_eq(good, 1);
}
END_TEST

START_TEST(the_queue_is_bounded)
{
	char login[20];
	int waiting = 0, verdict = WAITING;

	for (int i = 0; i < 2 * PASSWORDS_QUEUE_MAX && verdict == WAITING; i++) {
		snprintf(login, sizeof(login), "nobody %d", i);
		verdict = check(login, "x");
		waiting += verdict == WAITING;
	}
	ck_assert_int_eq(verdict, STOMP_E_BUSY);
	ck_assert_int_ge(waiting, PASSWORDS_QUEUE_MAX);
	passwords_free(passwords);
	passwords = NULL;
	ck_assert_int_eq(answers, waiting);
	ck_assert_int_gt(internal, 0);
}
END_TEST

START_TEST(those_who_wait_are_bounded)
{
	int waiting = 0, verdict = WAITING;

	make_slow();
	for (int i = 0; i < 2 * PASSWORDS_WAITERS_MAX && verdict == WAITING; i++) {
		verdict = check("slow", "pw");
		waiting += verdict == WAITING;
	}
	ck_assert(verdict == STOMP_E_BUSY || verdict == STOMP_E_UNAUTHENTICATED);
	ck_assert_int_le(waiting, PASSWORDS_WAITERS_MAX);
	await(waiting);
}
END_TEST

START_TEST(whoever_waits_is_answered_before_all_is_freed)
{
	make_slow();
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(check("slow", "one"), WAITING);
	ck_assert_int_eq(check("slow", "two"), WAITING);
	passwords_free(passwords);
	passwords = NULL;
	ck_assert_int_eq(answers, 11);
	ck_assert_int_ge(internal, 1);
}
END_TEST

static void ask_again(void *arg, enum stomp_error verdict, struct identity *who)
{
	(void)arg;
	identity_unref(who);
	answers++;
	if (verdict == STOMP_E_INTERNAL) {
		who = NULL;
		if (passwords_check(
		        passwords, BYTES("bob"), BYTES("again"), &who, ask_again, NULL) == WAITING)
			internal++;
	}
}

START_TEST(who_asks_again_and_again_does_not_keep_it_from_ending)
{
	struct identity *who;

	for (int i = 0; i < 4; i++)
		passwords_check(passwords, BYTES("bob"), (struct bytes){ "abcd", (size_t)i + 1 },
		    &who, ask_again, NULL);
	passwords_free(passwords);
	passwords = NULL;
	ck_assert_int_eq(answers, 4);
	ck_assert_int_eq(internal, 0);
}
END_TEST

/* --- who guesses ------------------------------------------------------------------------------ */

START_TEST(after_five_failures_a_login_is_not_looked_at)
{
	char passcode[20];

	clock_set(1000000);
	ck_assert_int_eq(ask("cheap", "pw"), STOMP_OK);
	for (int i = 0; i < 5; i++) {
		snprintf(passcode, sizeof(passcode), "wrong %d", i);
		ck_assert_int_eq(ask("cheap", passcode), STOMP_E_UNAUTHENTICATED);
	}
	ck_assert_int_eq(check("cheap", "wrong 5"), STOMP_E_TOO_MANY_FAILURES);
	ck_assert_int_eq(check("cheap", "wrong 4"), STOMP_E_UNAUTHENTICATED); /* known */
	ck_assert_int_eq(check("cheap", "pw"), STOMP_OK); /* he is not locked out */
	ck_assert_int_eq(ask("alice", "pw-alice"), STOMP_OK);
	clock_set(1000000 + 11000);
	ck_assert_int_eq(check("cheap", "wrong 5"), STOMP_E_TOO_MANY_FAILURES);
	clock_set(1000000 + 12060);
	ck_assert_int_eq(ask("cheap", "wrong 5"), STOMP_E_UNAUTHENTICATED);
	ck_assert_int_eq(check("cheap", "wrong 6"), STOMP_E_TOO_MANY_FAILURES);
}
END_TEST

START_TEST(an_unknown_login_is_throttled_as_well)
{
	char passcode[20];

	clock_set(1000000);
	for (int i = 0; i < 5; i++) {
		snprintf(passcode, sizeof(passcode), "wrong %d", i);
		ck_assert_int_eq(ask("nobody", passcode), STOMP_E_UNAUTHENTICATED);
	}
	ck_assert_int_eq(check("nobody", "wrong 5"), STOMP_E_TOO_MANY_FAILURES);
}
END_TEST

START_TEST(failures_are_counted_by_key_and_forgotten_in_a_minute)
{
	struct failures *f = failures_new(3, 100);

	for (int i = 0; i < 3; i++) {
		ck_assert(!failures_too_many(f, BYTES("a"), 1000000));
		failures_note(f, BYTES("a"), 1000000);
	}
	ck_assert(failures_too_many(f, BYTES("a"), 1000000));
	ck_assert(!failures_too_many(f, BYTES("b"), 1000000));
	ck_assert(!failures_too_many(f, BYTES("a\0"), 1000000));
	for (int i = 0; i < 1000; i++)
		failures_note(f, BYTES("a"), 1000000); /* more of it is not owed */
	ck_assert(failures_too_many(f, BYTES("a"), 1000000 + 19000));
	ck_assert(!failures_too_many(f, BYTES("a"), 1000000 + 20100));
	failures_note(f, BYTES("b"), 1000000 + 70000);
	ck_assert_uint_eq(failures_count(f), 1);
	failures_free(f);
}
END_TEST

START_TEST(failures_are_bounded)
{
	struct failures *f = failures_new(5, 100);
	char key[2 * FAILURES_KEY_MAX];

	memset(key, 'k', sizeof(key));
	for (int i = 0; i < 10000; i++) {
		memcpy(key, &i, sizeof(i));
		failures_note(f, (struct bytes){ key, sizeof(key) }, 1000000);
	}
	ck_assert_uint_le(failures_count(f), 100);
	failures_free(f);
}
END_TEST

/* --- the table ----------------------------------------------------------------------------------
 */

static void refused(const char *config, const char *sentence)
{
	struct passwords *before = passwords;

	why[0] = '\0';
	ck_assert_msg(try_text(config) < 0, "accepted: %s", config);
	ck_assert_msg(strstr(why, sentence) != NULL, "%s: %s", config, why);
	ck_assert_ptr_eq(passwords, before);
}

START_TEST(a_wrong_table_is_refused_by_name)
{
	refused("7", "users: ");
	refused("{}", "users: ");
	refused("null", "users: ");
	refused("\"missing.json\"", "users: cannot read missing.json");
	refused("[7]", "users[0]: ");
	refused("[{}]", "users[0].login: ");
	refused("[{\"login\": \"a\"}]", "users[0].password: ");
	refused("[{\"login\": \"\"}]", "users[0].login: ");
	refused("[{\"login\": \"a\\nb\", \"password\": \"" CHEAP "\"}]", "users[0].login: ");
	refused("[{\"login\": \"a\", \"passwd\": \"" CHEAP "\"}]", "users[0].passwd: ");
	refused("[{\"login\": \"a\", \"password\": \"secret\"}]", "users[0].password: ");
	refused("[{\"login\": \"a\", \"password\": \"" CHEAP "\", \"roles\": [7]}]",
	    "users[0].roles: ");
	refused("[{\"login\": \"a\", \"password\": \"" CHEAP "\"},"
	        " {\"login\": \"a\", \"password\": \"" CHEAP "\"}]",
	    "users[1].login: \"a\"");
	ck_assert_ptr_null(strstr(why, "$"));
}
END_TEST

#define SALT_HASH "$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"

START_TEST(a_hash_cannot_take_seconds_or_gigabytes)
{
	static const char *const bad[] = { "", "$", "$scrypt$", "x" CHEAP, CHEAP "$", CHEAP "x",
		"$scrypt$ln=18,r=8,p=1" SALT_HASH, "$scrypt$ln=9,r=8,p=1" SALT_HASH,
		"$scrypt$ln=17,r=9,p=1" SALT_HASH, "$scrypt$ln=17,r=8,p=2" SALT_HASH,
		"$scrypt$ln=10,r=33,p=1" SALT_HASH, "$scrypt$ln=10,r=1,p=17" SALT_HASH,
		"$scrypt$ln=10,r=0,p=1" SALT_HASH, "$scrypt$ln=10,r=1,p=0" SALT_HASH,
		"$scrypt$ln=014,r=8,p=1" SALT_HASH, "$scrypt$ln=-14,r=8,p=1" SALT_HASH,
		"$scrypt$ln= 14,r=8,p=1" SALT_HASH, "$scrypt$ln=4294967310,r=8,p=1" SALT_HASH,
		"$scrypt$ln=18446744073709551630,r=8,p=1" SALT_HASH,
		"$scrypt$ln=14,r=536870912,p=1" SALT_HASH, "$scrypt$r=8,ln=14,p=1" SALT_HASH,
		"$scrypt$ln=14,r=8" SALT_HASH, "$pbkdf2-sha256$i=1000001" SALT_HASH,
		"$pbkdf2-sha256$i=999" SALT_HASH, "$pbkdf2-sha256$i=4294968296" SALT_HASH,
		"$pbkdf2-sha1$i=1000" SALT_HASH, "$pbkdf2-sha256$i=1000$$AAAAAAAAAAAAAAAAAAAAAA",
		"$pbkdf2-sha256$i=1000$c2FsdA$AAAAAAAAAAAAAAAAAAAAAA",
		"$pbkdf2-sha256$i=1000$c2FsdHNhbHQ=$AAAAAAAAAAAAAAAAAAAAAA",
		"$pbkdf2-sha256$i=1000$c2FsdHNhbHR$AAAAAAAAAAAAAAAAAAAAAA",
		"$pbkdf2-sha256$i=1000$c2FsdHNhbHQ$AAAA", "$pbkdf2-sha256$i=1000$c2FsdHNhbHQ$",
		"$pbkdf2-sha256$i=1000$c2FsdHNhbHQ",
		"$pbkdf2-sha256$i=1000$c2FsdHNhbHQ$AAAA AAAA" };
	struct password_hash h;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(password_hash_parse(&h, bytes_of(bad[i])) != NULL, "%s", bad[i]);
	ck_assert_ptr_null(password_hash_parse(&h, BYTES("$scrypt$ln=17,r=8,p=1" SALT_HASH)));
	ck_assert_ptr_null(password_hash_parse(&h, BYTES("$pbkdf2-sha256$i=1000000" SALT_HASH)));
	ck_assert_ptr_null(password_hash_parse(
	    &h, BYTES("$pbkdf2-sha256$i=1000$c2FsdHNhbHRzYQ$AAAAAAAAAAAAAAAAAAAAAA")));
	ck_assert_ptr_nonnull(password_hash_parse(
	    &h, BYTES("$pbkdf2-sha256$i=1000$c2FsdHNhbHRzYR$AAAAAAAAAAAAAAAAAAAAAA")));
}
END_TEST

START_TEST(the_longest_salt_and_hash_fit)
{
	char phc[300], salt[200], hash[200];
	struct password_hash h;

	memset(salt, 'A', sizeof(salt));
	memset(hash, 'A', sizeof(hash));
	for (int n = 80; n < 100; n++) {
		bool fits = n <= 86 && n % 4 != 1;

		snprintf(phc, sizeof(phc), "$pbkdf2-sha256$i=1000$%.*s$%.*s", n, salt, 22, hash);
		ck_assert(!password_hash_parse(&h, bytes_of(phc)) == fits);
		snprintf(phc, sizeof(phc), "$pbkdf2-sha256$i=1000$%.*s$%.*s", 22, salt, n, hash);
		ck_assert(!password_hash_parse(&h, bytes_of(phc)) == fits);
	}
}
END_TEST

START_TEST(the_table_may_be_a_file)
{
	char name[] = "/tmp/test_passwords.XXXXXX", config[100];
	int fd = mkstemp(name);
	FILE *file = fdopen(fd, "w");

	fputs("[{\"login\": \"f\", \"password\": \"" CHEAP "\"}]", file);
	fclose(file);
	passwords_free(passwords);
	passwords = NULL;
	snprintf(config, sizeof(config), "\"%s\"", name);
	make(config);
	ck_assert_int_eq(ask("f", "pw"), STOMP_OK);
	file = fopen(name, "w");
	fputs("[{\"login\": \"f\", \"login\": \"g\"}]", file);
	fclose(file);
	refused(config, "line 1: duplicate object key");
	unlink(name);
}
END_TEST

/* --- several threads, and little memory ----------------------------------------------------------
 */

static void *ask_many(void *arg)
{
	const char *passcodes[] = { "pw", "no", "nope", "pw" };

	for (int i = 0; i < 200; i++) {
		struct identity *who = NULL;
		char login[20];

		snprintf(login, sizeof(login), i % 3 ? "cheap" : "nobody %d", i);
		if (passwords_check(passwords, bytes_of(login), bytes_of(passcodes[i % 4]), &who,
		        on_answer, arg) == WAITING)
			atomic_fetch_add((atomic_int *)arg, 1);
		identity_unref(who);
	}
	return NULL;
}

START_TEST(each_of_many_threads_is_answered)
{
	pthread_t threads[4];
	atomic_int waiting = 0;

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_many, &waiting), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	passwords_free(passwords);
	passwords = NULL;
	ck_assert_int_eq(answers, waiting);
	ck_assert_int_eq(good + wrong + internal, waiting);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
	unsigned long n = 0;
	int err;

	do {
		passwords_free(passwords);
		passwords = NULL;
		mem_fail_at(++n);
		err = try_text("[{\"login\": \"cheap\", \"password\": \"" CHEAP "\"}]");
		ck_assert(err == 0 || mem_failed());
	} while (mem_failed());
	ck_assert_uint_gt(n, 3);
	for (n = 1; n <= 5; n++) { /* those before the worker has its question */
		int before = answers, verdict;

		clock_set(1000000 * n); /* nothing is known */
		mem_fail_at(n);
		verdict = check("cheap", "pw");
		ck_assert(verdict == WAITING || verdict == STOMP_E_INTERNAL);
		if (verdict == WAITING)
			await(before + 1);
	}
	mem_fail_at(0);
	clock_set(100000000);
	ck_assert_int_eq(ask("cheap", "pw"), STOMP_OK);
}
END_TEST

/* 500 users, 20 clients each, all at once: one hash for each user. */
START_TEST(a_crowd_costs_one_hash_for_each_user)
{
	json_t *config = json_array();
	char login[20];
	int waiting = 0;

	for (int i = 0; i < 500; i++) {
		snprintf(login, sizeof(login), "user%d", i);
		json_array_append_new(
		    config, json_pack("{s:s, s:s}", "login", login, "password", CHEAP));
	}
	passwords_free(passwords);
	ck_assert_int_eq(passwords_new(&passwords, config, NULL, why, sizeof(why)), 0);
	json_decref(config);
	for (int i = 0; i < 10000; i++) {
		int verdict;

		snprintf(login, sizeof(login), "user%d", i % 500);
		verdict = check(login, "pw");
		ck_assert(verdict == WAITING || verdict == STOMP_OK);
		waiting += verdict == WAITING;
	}
	await(waiting);
	ck_assert_int_eq(good, waiting);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("passwords");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 120); /* a machine may be busy */
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_right_passcode_gives_the_identity_of_its_login);
	tcase_add_test(tc, roles_come_with_it);
	tcase_add_test(tc, anything_else_is_wrong);
	tcase_add_test(tc, an_unknown_login_is_wrong_whatever_its_passcode);
	tcase_add_test(tc, a_nul_does_not_end_a_passcode);
	tcase_add_test(tc, what_is_too_long_is_wrong_at_once);
	tcase_add_test(tc, what_passwords_hash_makes_is_accepted);
	tcase_add_test(tc, what_was_verified_is_known_for_ten_minutes);
	tcase_add_test(tc, what_is_known_says_nothing_of_another_login);
	tcase_add_test(tc, what_is_wrong_is_known_for_five_seconds);
	tcase_add_test(tc, what_is_known_is_bounded);
	tcase_add_test(tc, who_asks_the_same_waits_for_the_same_hash);
	tcase_add_test(tc, one_login_has_few_places_in_the_queue);
	tcase_add_test(tc, the_queue_is_bounded);
	tcase_add_test(tc, those_who_wait_are_bounded);
	tcase_add_test(tc, whoever_waits_is_answered_before_all_is_freed);
	tcase_add_test(tc, who_asks_again_and_again_does_not_keep_it_from_ending);
	tcase_add_test(tc, after_five_failures_a_login_is_not_looked_at);
	tcase_add_test(tc, an_unknown_login_is_throttled_as_well);
	tcase_add_test(tc, failures_are_counted_by_key_and_forgotten_in_a_minute);
	tcase_add_test(tc, failures_are_bounded);
	tcase_add_test(tc, a_wrong_table_is_refused_by_name);
	tcase_add_test(tc, a_hash_cannot_take_seconds_or_gigabytes);
	tcase_add_test(tc, the_longest_salt_and_hash_fit);
	tcase_add_test(tc, the_table_may_be_a_file);
	tcase_add_test(tc, each_of_many_threads_is_answered);
	tcase_add_test(tc, every_allocation_may_fail);
	tcase_add_test(tc, a_crowd_costs_one_hash_for_each_user);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
