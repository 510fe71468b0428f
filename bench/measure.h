/* Timing of one operation, for the programs that bench/run.sh runs natively and in a VM. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <windows.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_SAMPLES 4000

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* samples samples of batch operations each. Prints name, samples, minimum and median in
 * nanoseconds per operation. */
static void measure(const char *name, void (*operation)(void), int samples, int batch)
{
    static double times[MAX_SAMPLES];
    LARGE_INTEGER frequency, begin, end;
    int i, k;

    QueryPerformanceFrequency(&frequency);
    for (i = 0; i < 2 * batch && i < 32; i++) /* an even number: some go there and back */
        operation();
    for (i = 0; i < samples; i++) {
        QueryPerformanceCounter(&begin);
        for (k = 0; k < batch; k++)
            operation();
        QueryPerformanceCounter(&end);
        times[i] =
            (double)(end.QuadPart - begin.QuadPart) * 1e9 / (double)frequency.QuadPart / batch;
    }
    qsort(times, (size_t)samples, sizeof times[0], by_value);
    printf("%s\t%d\t%.0f\t%.0f\n", name, samples, times[0], times[samples / 2]);
    fflush(stdout);
}

#endif
