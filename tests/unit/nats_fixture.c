/*
 * tests/unit/nats_fixture.c - a client of NATS and its servers; see nats_fixture.h.
 */
#include "nats_fixture.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct nats_client *client;
struct nats_options options;
struct nats_server addresses[SERVERS];

/* --- servers ------------------------------------------------------------------------ */

struct nats_fake_server servers[SERVERS];

void say(int i, const char *text)
{
	ck_assert_int_ge(servers[i].fd, 0);
	ck_assert_int_eq(send(servers[i].fd, text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
}

void hang_up(int i)
{
	close(servers[i].fd);
	servers[i].fd = -1;
}

static void accept_one(struct nats_fake_server *s, int i)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;

	if (fd < 0)
		return;
	ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = fd;
	s->accepted++;
	s->heard_n = 0;
	if (s->info)
		say(i, s->info);
}

static void hear(struct nats_fake_server *s, int i)
{
	size_t before = s->heard_n;
	ssize_t n = recv(s->fd, s->heard + before, HEARD_MAX - before, 0);

	if (n == 0)
		hang_up(i);
	if (n <= 0)
		return;
	s->heard_n += (size_t)n;
	s->heard[s->heard_n] = '\0';
	if (s->logs_in && strstr(s->heard + (before > 5 ? before - 5 : 0), "PING\r\n"))
		say(i, "PONG\r\n");
}

static void serve(void)
{
	for (int i = 0; i < SERVERS; i++) {
		accept_one(&servers[i], i);
		if (servers[i].fd >= 0 && !servers[i].is_deaf)
			hear(&servers[i], i);
	}
}

static void open_server(int i)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	servers[i].listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	servers[i].fd = -1;
	servers[i].info = INFO;
	servers[i].logs_in = true;
	servers[i].is_deaf = false;
	servers[i].accepted = 0;
	servers[i].heard_n = 0;
	ck_assert_int_eq(bind(servers[i].listener, (void *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(servers[i].listener, 8), 0);
	ck_assert_int_eq(getsockname(servers[i].listener, (void *)&sa, &len), 0);
	addresses[i] = (struct nats_server){ "127.0.0.1", ntohs(sa.sin_port) };
}

/* --- the owner ---------------------------------------------------------------------- */

struct nats_owner owner;

void called(void)
{
	ck_assert(!owner.calling);
	budget_spend(loop_budget(loop), owner.spends);
	if (owner.upon)
		owner.upon();
}

static void on_up(struct nats_client *c, void *arg)
{
	(void)c;
	ck_assert_ptr_eq(arg, &owner);
	owner.up++;
	called();
}

static void on_down(struct nats_client *c, const char *why, void *arg)
{
	(void)c, (void)arg;
	owner.down++;
	snprintf(owner.why, sizeof(owner.why), "%s", why);
	called();
}

static void on_trouble(struct nats_client *c, const char *server, const char *why, void *arg)
{
	(void)c, (void)arg;
	ck_assert_ptr_nonnull(strchr(server, ':'));
	owner.trouble++;
	snprintf(owner.why, sizeof(owner.why), "%s", why);
	called();
}

static void on_writable(struct nats_client *c, void *arg)
{
	(void)c, (void)arg;
	owner.writable++;
	called();
}

static void on_changed(struct nats_client *c, void *arg)
{
	(void)c, (void)arg;
	owner.changed++;
	called();
}

const struct nats_client_events nats_owner_events = {
	.up = on_up,
	.down = on_down,
	.trouble = on_trouble,
	.writable = on_writable,
	.changed = on_changed,
};

void wait_to_hear(int i, const char *text)
{
	for (int k = 0; !(servers[i].heard_n && strstr(servers[i].heard, text)) && k < PATIENCE;
	     k++)
		turn();
	ck_assert_msg(servers[i].heard_n && strstr(servers[i].heard, text), "%s not in: %.300s",
	    text, servers[i].heard);
}

/* --- beginnings --------------------------------------------------------------------- */

void new_client(void)
{
	char why[256] = "";

	ck_assert_msg(nats_client_new(&client, loop, resolver, &options, &nats_owner_events, &owner,
	                  why, sizeof(why)) == 0,
	    "%s", why);
}

static void setup(void)
{
	memset(&owner, 0, sizeof(owner));
	loop_up(STEP, serve, NULL);
	for (int i = 0; i < SERVERS; i++)
		open_server(i);
	options = (struct nats_options){
		.servers = addresses,
		.server_count = 1,
		.in_order = true,
		.connect_timeout_ms = 400,
		.retry_ms = 50,
		.retry_max_ms = 200,
		.ping_interval_ms = 1000,
	};
	client = NULL;
}

static void teardown(void)
{
	nats_client_free(client);
	for (int i = 0; i < SERVERS; i++) {
		close(servers[i].listener);
		if (servers[i].fd >= 0)
			hang_up(i);
	}
	loop_down();
}

void come_up(void)
{
	new_client();
	wait_for(&owner.up, 1);
}

const char *reply_subject(int i, const char *subject)
{
	static char reply[200];
	const char *at;

	wait_to_hear(i, subject);
	at = strstr(servers[i].heard, subject) + strlen(subject) + 1;
	snprintf(reply, sizeof(reply), "%.*s", (int)strcspn(at, " \r"), at);
	return reply;
}

unsigned sid_of(int i, const char *line)
{
	wait_to_hear(i, line);
	return (unsigned)strtoul(strstr(servers[i].heard, line) + strlen(line), NULL, 10);
}

unsigned inbox_sid(int i, const char *reply)
{
	char line[300];

	if (strstr(reply, ".many."))
		snprintf(line, sizeof(line), "SUB %s ", reply);
	else
		snprintf(
		    line, sizeof(line), "SUB %.*s.* ", (int)(strrchr(reply, '.') - reply), reply);
	return sid_of(i, line);
}

void answer(int i, const char *subject, const char *payload)
{
	char line[400];
	const char *reply = reply_subject(i, subject);
	unsigned sid = inbox_sid(i, reply);

	snprintf(line, sizeof(line), "MSG %s %u %zu\r\n%s\r\n",
	    strstr(reply, ".many.") ? "stored.elsewhere" : reply, sid, strlen(payload), payload);
	say(i, line);
}

int nats_tests_run(const char *name, void (*add)(TCase *tc))
{
	Suite *suite = suite_create(name);
	TCase *tc = tcase_create(name);
	SRunner *runner = srunner_create(suite);
	int bad;

	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	add(tc);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
