/*
 * server/process_metrics.c - what the kernel knows of the process, by the names that Prometheus gives
 * such figures, and what it was built of.
 */
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server/server_private.h"

static int add(struct buf *out, const char *name, const char *type, const char *help, double value)
{
	return buf_printf(
	    out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name, value);
}

/* The pages of /proc/self/statm: all, and those in memory. */
static int add_memory(struct buf *out, int statm)
{
	char text[128];
	ssize_t n = statm < 0 ? -1 : pread(statm, text, sizeof(text) - 1, 0);
	unsigned long long all, resident;
	double page = (double)sysconf(_SC_PAGESIZE);
	int err;

	text[n > 0 ? n : 0] = '\0';
	if (sscanf(text, "%llu %llu", &all, &resident) != 2)
		return 0;
	err = add(out, "process_virtual_memory_bytes", "gauge", "Address space.", (double)all * page);
	return err ? err
	           : add(out, "process_resident_memory_bytes", "gauge", "Memory in use.",
	                 (double)resident * page);
}

static int add_processor(struct buf *out)
{
	struct rusage used;

	if (getrusage(RUSAGE_SELF, &used) < 0)
		return 0;
	return add(out, "process_cpu_seconds_total", "counter", "Processor time, also in the kernel.",
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
		err = add(out, "process_max_fds", "gauge", "Descriptors that may be open.",
		    (double)limit.rlim_cur);
	if (err == 0 && stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
		err = add(out, "process_open_fds", "gauge", "Descriptors that are open.",
		    (double)st.st_size);
	return err;
}

static int add_build(struct buf *out)
{
	return buf_printf(out,
	    "# HELP sockjs_build_info What this is.\n# TYPE sockjs_build_info gauge\n"
	    "sockjs_build_info{version=\"%s\",libmicrohttpd=\"%s\",openssl=\"%s\"} 1\n",
	    sockjs_version(), MHD_get_version(), OpenSSL_version(OPENSSL_VERSION_STRING));
}

int process_metrics_add(struct buf *out, const struct sockjs_server *server)
{
	int err = add_build(out);

	if (err == 0)
		err = add(out, "process_start_time_seconds", "gauge",
		    "When the server began to run, in seconds since 1970.", (double)server->began_at);
	if (err == 0)
		err = add_processor(out);
	if (err == 0)
		err = add_memory(out, server->statm);
	return err ? err : add_descriptors(out);
}
