/*
 * tests/unit/test_send_ring.c - the real ring: each result is what send() would have
 * said, all of them are there when the call returns, and a kernel that refuses is
 * only an error. Where the kernel has no io_uring there is nothing but that to test.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/send_ring.h"

#define MOST 64

static struct send_ring *ring;
static int wire[2], other[2];

static void setup(void)
{
	ck_assert_int_eq(send_ring_new(&ring, MOST), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		                     i ? other : wire),
		    0);
}

static void teardown(void)
{
	send_ring_free(ring);
	for (int i = 0; i < 2; i++) {
		close(wire[i]);
		close(other[i]);
	}
}

static struct send_op op(int fd, const char *text)
{
	return (struct send_op){ fd, text, strlen(text), 1000 };
}

static const char *got(int fd)
{
	static char buf[4096];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	buf[n < 0 ? 0 : n] = '\0';
	return buf;
}

START_TEST(sends_go_out_in_order)
{
	struct send_op ops[MOST];
	char digits[MOST + 1], expected[MOST + 1];

	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < MOST; i++) {
			digits[i] = expected[i] = (char)('0' + (i + round) % 10);
			ops[i] = (struct send_op){ wire[0], digits + i, 1, 0 };
		}
		expected[MOST] = '\0';
		ck_assert_int_eq(send_ring_send(ring, ops, MOST), 0);
		memset(digits, 'x', sizeof(digits)); /* nobody reads them any more */
		for (int i = 0; i < MOST; i++)
			ck_assert_int_eq(ops[i].result, 1);
		ck_assert_str_eq(got(wire[1]), expected);
	}
}
END_TEST

START_TEST(each_has_its_own_result)
{
	struct send_op ops[] = { op(wire[0], "one"), op(-1, "nowhere"), op(other[0], "lost"),
		op(STDIN_FILENO, "no socket"), op(wire[0], "four") };
	FILE *file = tmpfile();

	ops[3].fd = fileno(file);
	close(other[1]);
	ck_assert_int_eq(send_ring_send(ring, ops, 5), 0);
	ck_assert_int_eq(ops[0].result, 3);
	ck_assert_int_eq(ops[1].result, -EBADF);
	ck_assert_int_eq(ops[2].result, -EPIPE); /* and no SIGPIPE */
	ck_assert_int_eq(ops[3].result, -ENOTSOCK);
	ck_assert_int_eq(ops[4].result, 4);
	ck_assert_str_eq(got(wire[1]), "onefour");
	other[1] = dup(wire[1]);
	fclose(file);
}
END_TEST

/* On a descriptor that would block, too. */
START_TEST(what_does_not_fit_is_a_short_send_and_then_would_block)
{
	static char much[1 << 20];
	struct send_op ops[] = { { wire[0], much, sizeof(much), 0 }, op(wire[0], "x"),
		op(other[0], "y") };

	ck_assert_int_eq(send_ring_send(ring, ops, 3), 0);
	ck_assert_int_gt(ops[0].result, 0);
	ck_assert_int_lt(ops[0].result, (ssize_t)sizeof(much));
	ck_assert_int_eq(ops[1].result, -EAGAIN);
	ck_assert_int_eq(ops[2].result, 1);
}
END_TEST

START_TEST(rings_of_two_reactors_do_not_meet)
{
	struct send_ring *second;
	struct send_op a = op(wire[0], "a"), b = op(other[0], "b");

	ck_assert_int_eq(send_ring_new(&second, MOST), 0);
	ck_assert_int_eq(send_ring_send(second, &b, 1), 0);
	ck_assert_int_eq(send_ring_send(ring, &a, 1), 0);
	ck_assert_str_eq(got(wire[1]), "a");
	ck_assert_str_eq(got(other[1]), "b");
	send_ring_free(second);
}
END_TEST

/* --- kernels that refuse -------------------------------------------------------------------- */

static void forbid(long call)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

START_TEST(a_kernel_that_refuses_a_ring_is_an_error)
{
	struct send_ring *none = NULL;

	forbid(SYS_io_uring_setup);
	ck_assert_int_lt(send_ring_new(&none, MOST), 0);
	ck_assert_ptr_null(none);
	send_ring_free(none);
}
END_TEST

START_TEST(a_kernel_that_refuses_later_has_tried_nothing)
{
	struct send_op ops[] = { op(wire[0], "one"), op(wire[0], "two") };

	forbid(SYS_io_uring_enter);
	ck_assert_int_eq(send_ring_send(ring, ops, 2), -EPERM);
	ck_assert_int_eq(ops[0].result, SEND_NOT_TRIED);
	ck_assert_int_eq(ops[1].result, SEND_NOT_TRIED);
	ck_assert_str_eq(got(wire[1]), "");
}
END_TEST

START_TEST(without_memory_there_is_no_ring)
{
	struct send_ring *none = NULL;

	mem_fail_at(1);
	ck_assert_int_lt(send_ring_new(&none, MOST), 0);
	ck_assert_ptr_null(none);
	mem_fail_at(0);
}
END_TEST

static bool has_ring(void)
{
	struct send_ring *try = NULL;
	int err = send_ring_new(&try, MOST);

	if (err < 0)
		printf("no io_uring here: %s\n", strerror(-err));
	send_ring_free(try);
	return err == 0;
}

int main(void)
{
	Suite *suite = suite_create("send_ring");
	TCase *tc = tcase_create("send_ring"), *refused = tcase_create("refused");
	SRunner *runner;
	int failed;

	tcase_add_test(refused, a_kernel_that_refuses_a_ring_is_an_error);
	tcase_add_test(refused, without_memory_there_is_no_ring);
	suite_add_tcase(suite, refused);
	if (has_ring()) {
		tcase_add_checked_fixture(tc, setup, teardown);
		tcase_add_test(tc, sends_go_out_in_order);
		tcase_add_test(tc, each_has_its_own_result);
		tcase_add_test(tc, what_does_not_fit_is_a_short_send_and_then_would_block);
		tcase_add_test(tc, rings_of_two_reactors_do_not_meet);
		tcase_add_test(tc, a_kernel_that_refuses_later_has_tried_nothing);
		suite_add_tcase(suite, tc);
	}
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_FORK); /* none leaves anything to another */
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
