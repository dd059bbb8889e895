/** What every Prometheus client tells of its process, read when asked. */
import type { MetricRegistry } from "../../base/metrics.ts";

export interface ProcessStats {
  residentBytes(): number;
  cpuSeconds(): number;
  /** Unix time in seconds. */
  startTime(): number;
  openFiles(): number;
  openFilesMax(): number;
  heapUsedBytes(): number;
}

export function registerProcessMetrics(r: MetricRegistry, stats: ProcessStats): void {
  const resident = r.gauge("process_resident_memory_bytes", "Resident memory.");
  const cpu = r.counter("process_cpu_seconds_total", "Processor time, user and system.");
  const start = r.gauge("process_start_time_seconds", "Unix time of the start.");
  const files = r.gauge("process_open_fds", "Open files.");
  const filesMax = r.gauge("process_max_fds", "Most files that may be open.");
  const used = r.gauge("os_fd_used", "Open files.");
  const limit = r.gauge("os_fd_limit", "Most files that may be open.");
  const heap = r.gauge("nodejs_heap_size_used_bytes", "Bytes used on V8's heap.");
  r.onCollect(() => {
    resident.value = stats.residentBytes();
    cpu.value = stats.cpuSeconds();
    start.value = stats.startTime();
    files.value = used.value = stats.openFiles();
    filesMax.value = limit.value = stats.openFilesMax();
    heap.value = stats.heapUsedBytes();
  });
}
