/*
 * tests/soak/subject.c - a server under test, started and looked at from
 * outside: what /proc and its log say.
 */
#include "soak/subject.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { START_MS = 10000 };

unsigned long subject_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}

bool subject_start(struct server *s, const char *command, struct sockaddr_in *address)
{
	struct command c = { .count = 0 };

	command_add(&c, command);
	if (!server_begin(s, &c, patient(START_MS), NULL))
		return false;
	address->sin_family = AF_INET;
	address->sin_port = htons((uint16_t)atoi(s->address[0].port));
	return inet_pton(AF_INET, s->address[0].host, &address->sin_addr) == 1;
}

unsigned subject_descriptors(pid_t pid)
{
	char path[64];
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

long subject_memory(pid_t pid)
{
	char line[256];
	long kb = 0;
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%d/status", (int)pid);
	f = fopen(line, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

bool subject_has_sanitizer(pid_t pid)
{
	char line[512];
	bool found = false;
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%d/maps", (int)pid);
	f = fopen(line, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, "libasan") || strstr(line, "libtsan");
	if (f)
		fclose(f);
	return found;
}

bool subject_log_is_clean(const struct server *s)
{
	static const char *const bad[] = { "AddressSanitizer", "LeakSanitizer", "ThreadSanitizer",
		"runtime error" };
	char line[2048];
	FILE *f = fopen(s->log, "re");
	bool clean = f != NULL;

	while (f && fgets(line, sizeof(line), f))
		for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
			clean = clean && !strstr(line, bad[i]);
	if (f)
		fclose(f);
	return clean;
}
