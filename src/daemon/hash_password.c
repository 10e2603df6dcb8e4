/*
 * daemon/hash_password.c - a password from standard input, its hash to standard output; see
 * hash_password.h.
 *
 * The password stands nowhere but in two arrays here, which are wiped: neither in the arguments,
 * which everybody sees, nor in a buffer of stdio. A terminal that shows nothing gets its echo back
 * also when a signal ends this.
 */
#include "daemon/hash_password.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/utf8.h"
#include "identity/passwords.h"

#define PASSWORD_MAX 1024 /* octets; passwords_hash() takes no more */
#define PHC_MAX      256

struct password {
	char text[PASSWORD_MAX + 2]; /* and a carriage return, and a NUL */
	size_t len;
};

static int complain(const char *sentence)
{
	fprintf(stderr, "sockjsd: --hash-password: %s\n", sentence);
	return -EINVAL;
}

static int fail(int err)
{
	complain(strerror(-err));
	return err;
}

/* --- the terminal ------------------------------------------------------------------------------
 */

static const int fatal[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
static volatile sig_atomic_t interrupted;

static void on_fatal(int signal)
{
	interrupted = signal;
}

/* Reading returns when one of them comes. */
static void catch_signals(void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(fatal) / sizeof(*fatal); i++)
		sigaction(fatal[i], &action, NULL);
}

static int hide(struct termios *saved)
{
	struct termios quiet;

	if (tcgetattr(STDIN_FILENO, saved) < 0)
		return fail(-errno);
	quiet = *saved;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	quiet.c_lflag |= ICANON | ECHONL; /* the end of the line is shown */
	catch_signals(on_fatal);
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) < 0)
		return fail(-errno);
	return 0;
}

static void show(const struct termios *saved)
{
	tcsetattr(STDIN_FILENO, TCSAFLUSH, saved);
	catch_signals(SIG_DFL);
	if (interrupted)
		raise(interrupted);
}

/* --- the line ------------------------------------------------------------------------------------
 */

/* One octet; 0 at the end of the line. */
static int read_octet(char *c)
{
	ssize_t n;

	do
		n = read(STDIN_FILENO, c, 1);
	while (n < 0 && errno == EINTR && !interrupted);
	if (n < 0)
		return interrupted ? -EINTR : fail(-errno);
	return n == 1 && *c != '\n';
}

static int too_long(void)
{
	return complain("a password has at most 1024 octets");
}

static int check(const struct password *p)
{
	if (p->len == 0)
		return complain("no password; it is the first line of standard input");
	if (p->len > PASSWORD_MAX)
		return too_long();
	if (memchr(p->text, '\0', p->len))
		return complain("a NUL character is not allowed in a password");
	if (!utf8_is_valid(p->text, p->len))
		return complain("this is not UTF-8, as which STOMP sends a password");
	return 0;
}

static int read_password(struct password *p)
{
	char c;
	int more;

	while ((more = read_octet(&c)) > 0 && p->len <= PASSWORD_MAX)
		p->text[p->len++] = c;
	if (more < 0)
		return more;
	if (more > 0)
		return too_long();
	if (p->len > 0 && p->text[p->len - 1] == '\r')
		p->len--;
	p->text[p->len] = '\0';
	return check(p);
}

static int ask(struct password *p, const char *prompt)
{
	fputs(prompt, stderr);
	fflush(stderr);
	return read_password(p);
}

static int ask_twice(struct password *p, struct password *again)
{
	int err;

	if ((err = ask(p, "Password: ")) < 0 || (err = ask(again, "Once more: ")) < 0)
		return err;
	return strcmp(p->text, again->text) == 0 ? 0 : complain("the two are not the same");
}

static int get_password(struct password *p)
{
	struct password again = { 0 };
	struct termios saved;
	int err;

	if (!isatty(STDIN_FILENO))
		return read_password(p);
	if ((err = hide(&saved)) < 0)
		return err;
	err = ask_twice(p, &again);
	explicit_bzero(&again, sizeof(again));
	show(&saved);
	return err;
}

/* --- all
 * ------------------------------------------------------------------------------------------- */

static int print_hash(const char *password)
{
	char phc[PHC_MAX];
	int err = passwords_hash(password, phc, sizeof(phc));

	if (err < 0)
		return fail(err);
	return puts(phc) < 0 || fflush(stdout) != 0 ? fail(-errno) : 0;
}

enum exit_code hash_password(void)
{
	struct password p = { 0 };
	int err = get_password(&p);

	if (err == 0)
		err = print_hash(p.text);
	explicit_bzero(&p, sizeof(p));
	if (err == 0)
		return EXIT_STOPPED;
	return err == -EINVAL ? EXIT_USAGE : EXIT_RUNNING;
}
