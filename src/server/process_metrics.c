/*
 * server/process_metrics.c - what the kernel knows of the process, by the names that Prometheus
 * gives such figures, and what it was built of.
 */
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server/metrics_table.h"
#include "server/server_private.h"

bool process_memory(const struct sockjs_server *server, uint64_t *all, uint64_t *resident)
{
	char text[128];
	ssize_t n = server->statm < 0 ? -1 : pread(server->statm, text, sizeof(text) - 1, 0);
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	unsigned long long pages[2];

	text[n > 0 ? n : 0] = '\0';
	if (sscanf(text, "%llu %llu", &pages[0], &pages[1]) != 2)
		return false;
	*all = pages[0] * page;
	*resident = pages[1] * page;
	return true;
}

static int add_memory(struct buf *out, const struct sockjs_server *server)
{
	uint64_t all, resident;
	int err;

	if (!process_memory(server, &all, &resident))
		return 0;
	err = metric_print(out, METRIC_process_virtual_memory_bytes, (double)all);
	return err ? err
	           : metric_print(out, METRIC_process_resident_memory_bytes, (double)resident);
}

static int add_processor(struct buf *out)
{
	struct rusage used;

	if (getrusage(RUSAGE_SELF, &used) < 0)
		return 0;
	return metric_print(out, METRIC_process_cpu_seconds_total,
	    (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	        (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
}

/* To count them one by one takes long where there are many; Linux 6.2 knows. */
static int add_descriptors(struct buf *out)
{
	struct rlimit limit;
	struct stat st;
	int err = 0;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		err = metric_print(out, METRIC_process_max_fds, (double)limit.rlim_cur);
	if (err == 0 && stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
		err = metric_print(out, METRIC_process_open_fds, (double)st.st_size);
	return err;
}

static int add_build(struct buf *out)
{
	char labels[256];
	int err = metric_head(out, METRIC_sockjs_build_info);

	snprintf(labels, sizeof(labels), "version=\"%s\",libmicrohttpd=\"%s\",openssl=\"%s\"",
	    sockjs_version(), MHD_get_version(), OpenSSL_version(OPENSSL_VERSION_STRING));
	return err ? err : metric_row(out, METRIC_sockjs_build_info, labels, 1);
}

int process_metrics_add(struct buf *out, const struct sockjs_server *server)
{
	int err = add_build(out);

	if (err == 0)
		err =
		    metric_print(out, METRIC_process_start_time_seconds, (double)server->began_at);
	if (err == 0)
		err = add_processor(out);
	if (err == 0)
		err = add_memory(out, server);
	return err ? err : add_descriptors(out);
}
