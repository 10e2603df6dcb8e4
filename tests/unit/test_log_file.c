/*
 * tests/unit/test_log_file.c - a log of its own: what is written, what is lost and counted, and that
 * nobody waits for it.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_file.h"

static char folder[] = "/tmp/log-file-XXXXXX";
static char path[64], moved[64];
static struct log_file *file;

static void set_up(void)
{
	log_set_level(LOG_SILENT);
	strcpy(folder, "/tmp/log-file-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/log", folder);
	snprintf(moved, sizeof(moved), "%s/moved", folder);
	file = NULL;
}

static void tear_down(void)
{
	unlink(path);
	unlink(moved);
	rmdir(folder);
}

static void add(const char *line)
{
	log_file_add(file, line, strlen(line));
}

static size_t read_file(const char *name, char *text, size_t size)
{
	FILE *f = fopen(name, "r");
	size_t n = f ? fread(text, 1, size - 1, f) : 0;

	if (f)
		fclose(f);
	text[n] = '\0';
	return n;
}

START_TEST(lines_come_in_order_and_all_of_them_before_it_closes)
{
	char text[128];

	ck_assert_int_eq(log_file_open(&file, path), 0);
	add("one\n");
	add("two\n");
	log_file_close(file);
	ck_assert_int_eq(log_file_open(&file, path), 0);
	add("three\n");
	log_file_close(file);
	read_file(path, text, sizeof(text));
	ck_assert_str_eq(text, "one\ntwo\nthree\n");
}
END_TEST

START_TEST(a_file_that_was_renamed_is_made_anew)
{
	struct stat st;
	char text[128];

	ck_assert_int_eq(log_file_open(&file, path), 0);
	add("before\n");
	ck_assert_int_eq(rename(path, moved), 0);
	log_reopen();
	while (stat(path, &st) < 0)
		usleep(10000); /* the program's own deadline ends it */
	add("after\n");
	log_file_close(file);
	read_file(moved, text, sizeof(text));
	ck_assert_str_eq(text, "before\n");
	read_file(path, text, sizeof(text));
	ck_assert_str_eq(text, "after\n");
}
END_TEST

/* The worst disk there is: a pipe that nobody reads. */
START_TEST(a_disk_that_takes_nothing_keeps_nobody_and_what_is_lost_is_counted)
{
	static char line[1000];
	const unsigned lines = 5000;
	struct log_file_counts counts;
	int reader;

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\n';
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(log_file_open(&file, path), -ENXIO); /* nor does one without a reader */
	reader = open(path, O_RDONLY | O_NONBLOCK);
	ck_assert_int_ge(reader, 0);
	ck_assert_int_eq(log_file_open(&file, path), 0);
	for (unsigned i = 0; i < lines; i++)
		log_file_add(file, line, sizeof(line));
	counts = log_file_counts(file);
	ck_assert_uint_gt(counts.dropped, lines / 2); /* two buffers and a pipe have the others */
	ck_assert_uint_le(counts.written + counts.dropped, lines);
	log_file_close(file);
	close(reader);
}
END_TEST

START_TEST(no_log_is_fine)
{
	log_file_add(NULL, "x\n", 2);
	ck_assert_uint_eq(log_file_counts(NULL).written, 0);
	log_file_close(NULL);
	ck_assert_int_eq(log_file_open(&file, "/no/such/folder/log"), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("log_file");
	TCase *tc = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, lines_come_in_order_and_all_of_them_before_it_closes);
	tcase_add_test(tc, a_file_that_was_renamed_is_made_anew);
	tcase_add_test(tc, a_disk_that_takes_nothing_keeps_nobody_and_what_is_lost_is_counted);
	tcase_add_test(tc, no_log_is_fine);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
