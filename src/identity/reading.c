/*
 * identity/reading.c - see reading.h.
 */
#include "identity/reading.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int reading_fail(const struct reading *r, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->why, r->size, fmt, ap);
	va_end(ap);
	return err;
}

int reading_no_memory(const struct reading *r)
{
	return reading_fail(r, -ENOMEM, "out of memory");
}

void reading_path(char path[READING_PATH], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, READING_PATH, fmt, ap);
	va_end(ap);
}

/* --- values ------------------------------------------------------------------ */

static bool is_among(const char *key, const char *const *keys)
{
	for (; *keys; keys++)
		if (strcmp(*keys, key) == 0)
			return true;
	return false;
}

int reading_keys(
    const struct reading *r, const char *path, const json_t *object, const char *const *keys)
{
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return reading_fail(r, -EINVAL, "%s: is not an object", path);
	json_object_foreach ((json_t *)(uintptr_t)object, key, value)
		if (!is_among(key, keys))
			return reading_fail(
			    r, -EINVAL, "%s.%.64s: there is no such key", path, key);
	return 0;
}

int reading_string(const struct reading *r, const char *path, const json_t *object, const char *key,
    const char **out)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return 0;
	if (!json_is_string(value) || json_string_length(value) == 0)
		return reading_fail(r, -EINVAL, "%s.%s: is not a string, or empty", path, key);
	*out = json_string_value(value);
	return 0;
}

int reading_integer(const struct reading *r, const char *path, const json_t *object,
    const char *key, int64_t most, int64_t *out)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > most)
		return reading_fail(r, -EINVAL, "%s.%s: is not a whole number from 0 to %lld", path,
		    key, (long long)most);
	*out = json_integer_value(value);
	return 0;
}

int reading_bool(
    const struct reading *r, const char *path, const json_t *object, const char *key, bool *out)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return 0;
	if (!json_is_boolean(value))
		return reading_fail(r, -EINVAL, "%s.%s: is not true or false", path, key);
	*out = json_is_true(value);
	return 0;
}

static bool are_strings(const json_t *list)
{
	size_t i;
	const json_t *value;

	json_array_foreach (list, i, value)
		if (!json_is_string(value) || json_string_length(value) == 0)
			return false;
	return json_array_size(list) > 0;
}

int reading_list(
    const struct reading *r, const char *path, const json_t *object, const char *key, json_t **out)
{
	json_t *value = json_object_get(object, key), *list;

	if (!value)
		return 0;
	if (json_is_array(value))
		list = json_incref(value);
	else
		list = json_pack("[O]", value);
	if (!list)
		return reading_no_memory(r);
	if (!are_strings(list)) {
		json_decref(list);
		return reading_fail(
		    r, -EINVAL, "%s.%s: is not a string or a list of them", path, key);
	}
	*out = list;
	return 0;
}

/* --- files ------------------------------------------------------------------- */

static int open_file(const struct reading *r, const char *name)
{
	char path[PATH_MAX];
	bool is_relative = name[0] != '/' && r->directory;
	int fd;

	if (snprintf(path, sizeof(path), "%s%s%s", is_relative ? r->directory : "",
	        is_relative ? "/" : "", name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

/* A file that says that it is empty may be one of /proc: it is read as far as it goes. */
static int read_all(int fd, size_t most, struct buf *out)
{
	for (;;) {
		char *to = buf_reserve(out, 4096);
		ssize_t n = to ? read(fd, to, 4095) : 0;

		if (!to)
			return -ENOMEM;
		if (n < 0)
			return -errno;
		to[n] = '\0';
		buf_commit(out, (size_t)n);
		if (n == 0)
			return 0;
		if (buf_len(out) > most)
			return -EFBIG;
	}
}

/* Who reads a FIFO or a terminal waits, perhaps for ever. */
static int check_kind(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return S_ISREG(st.st_mode) ? 0 : -EINVAL;
}

int reading_file(
    const struct reading *r, const char *path, const char *name, size_t most, struct buf *out)
{
	int fd = open_file(r, name), err = fd < 0 ? fd : check_kind(fd);

	if (err == 0)
		err = read_all(fd, most, out);
	if (fd >= 0)
		close(fd);
	if (err == -EFBIG)
		return reading_fail(
		    r, err, "%s: %.300s is larger than %zu octets", path, name, most);
	if (err < 0)
		return reading_fail(
		    r, err, "%s: cannot read %.300s: %s", path, name, strerror(-err));
	return 0;
}

int reading_json_file(
    const struct reading *r, const char *path, const char *name, size_t most, json_t **out)
{
	struct buf text = BUF_INIT;
	json_error_t error;
	int err = reading_file(r, path, name, most, &text);

	if (err == 0) {
		*out = json_loadb(buf_data(&text), buf_len(&text), JSON_REJECT_DUPLICATES, &error);
		if (!*out)
			err = reading_fail(r, -EINVAL, "%s: %.300s, line %d: %s", path, name,
			    error.line, error.text);
	}
	reading_wipe(&text);
	return err;
}

void reading_wipe(struct buf *b)
{
	if (b->data)
		OPENSSL_cleanse(b->data, b->cap);
	buf_fini(b);
}
