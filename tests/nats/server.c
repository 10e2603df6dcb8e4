/*
 * tests/nats/server.c - nats-server for tests; see server.h.
 */
#include "tests/nats/server.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"

static const char *const places[] = { "/usr/sbin/nats-server", "/usr/bin/nats-server",
	"/usr/local/bin/nats-server" };

static const char *program(void)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

bool nats_server_is_here(void)
{
	return program() != NULL;
}

static bool is_free(unsigned port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool well;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	well = bind(fd, (void *)&sa, sizeof(sa)) == 0;
	close(fd);
	return well;
}

/* Below those that the kernel gives to connections: a server that is killed finds its port free. */
unsigned nats_free_port(void)
{
	unsigned port;

	do
		port = 10000 + random_u32() % 20000;
	while (!is_free(port));
	return port;
}

void nats_server_init(struct nats_test_server *s, const char *format, ...)
{
	va_list ap;

	s->pid = 0;
	s->port = nats_free_port();
	s->cluster_port = nats_free_port();
	snprintf(s->dir, sizeof(s->dir), "/tmp/test_nats.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(s->dir));
	va_start(ap, format);
	vsnprintf(s->config, sizeof(s->config), format, ap);
	va_end(ap);
}

static void write_config(const struct nats_test_server *s, char path[96])
{
	FILE *f;

	snprintf(path, 96, "%s/server.conf", s->dir);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "listen: \"127.0.0.1:%u\"\n%s\n", s->port, s->config);
	fclose(f);
}

/* If the test is killed the server goes with it. */
static void run(const struct nats_test_server *s, const char *config)
{
	char log[96];
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(log, sizeof(log), "%s/server.log", s->dir);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, STDERR_FILENO);
	dup2(fd, STDOUT_FILENO);
	execl(program(), "nats-server", "-c", config, (char *)NULL);
	_exit(127);
}

static bool listens(unsigned port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool well;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	well = connect(fd, (void *)&sa, sizeof(sa)) == 0;
	close(fd);
	return well;
}

void nats_server_start(struct nats_test_server *s)
{
	char config[96];

	write_config(s, config);
	s->pid = fork();
	ck_assert_int_ge(s->pid, 0);
	if (s->pid == 0)
		run(s, config);
	for (int i = 0; i < 1000 && !listens(s->port); i++)
		usleep(10000);
	ck_assert_msg(listens(s->port), "nats-server does not start: see %s/server.log", s->dir);
}

void nats_server_end(struct nats_test_server *s, int signal)
{
	if (s->pid <= 0)
		return;
	kill(s->pid, signal);
	waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

void nats_server_fini(struct nats_test_server *s)
{
	char command[96];

	nats_server_end(s, SIGKILL);
	if (!s->dir[0])
		return;
	snprintf(command, sizeof(command), "rm -rf '%s'", s->dir);
	if (system(command) != 0)
		fprintf(stderr, "%s stays\n", s->dir);
	s->dir[0] = '\0';
}
