/*
 * base/first_line.c - see first_line.h.
 */
#include "base/first_line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int first_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	int err = file ? 0 : -errno;
	size_t n;

	line[0] = '\0';
	if (!file)
		return err;
	if (!fgets(line, (int)size, file))
		err = ferror(file) ? -EIO : -EINVAL;
	n = err < 0 ? 0 : strcspn(line, "\r\n");
	if (err == 0 && line[n] == '\0' && !feof(file))
		err = -EINVAL; /* the rest of it */
	fclose(file);
	line[err < 0 ? 0 : n] = '\0';
	return err;
}
