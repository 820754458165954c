"""Panels of what carries the service and measures itself: HAProxy, Serve's autoscaling, the machines."""

from __future__ import annotations

from cluster.panels import Panel, Query, timeseries
from cluster.promql import APPLICATION


def edge() -> list[Panel]:
    """HAProxy, which is what clients talk to."""
    frontend = 'proxy="http_frontend"'
    # Of the backends: the frontend counts probes of /-/healthz, which HAProxy answers itself.
    backends = 'proxy=~"http-.*|default_backend"'
    answers = f"sum by (code) (rate(haproxy_backend_http_responses_total{{{backends}}}[$__rate_interval]))"
    return [
        timeseries("Answers of HAProxy by class", [Query(answers, "{{code}}")], "reqps", stacked=True),
        timeseries(
            "Connections of clients",
            [Query(f"sum by (instance) (haproxy_frontend_current_sessions{{{frontend}}})", "{{instance}}")],
            "short",
        ),
        timeseries(
            "Ingress replicas that HAProxy sends to",
            [
                Query(
                    'haproxy_backend_active_servers{proxy=~"http-.*"}',
                    "{{instance}}",
                )
            ],
            "short",
        ),
    ]


def autoscaling() -> list[Panel]:
    """What each deployment wants, may have and has."""
    by = "max by (deployment)"
    return [
        timeseries(
            # After the delays, and so the target again but for the moments in which it changes.
            "Replicas decided by the policy, after delays, before bounds",
            [Query(f"{by} (ray_serve_autoscaling_desired_replicas{{{APPLICATION}}})", "{{deployment}}")],
            "short",
        ),
        timeseries(
            "Replicas aimed at",
            [Query(f"{by} (ray_serve_autoscaling_target_replicas{{{APPLICATION}}})", "{{deployment}}")],
            "short",
        ),
        timeseries(
            "Healthy replicas",
            [
                Query(
                    f"sum by (deployment) (ray_serve_deployment_replica_healthy{{{APPLICATION}}})",
                    "{{deployment}}",
                )
            ],
            "short",
        ),
        timeseries(
            "Calls that wait for a replica",
            [
                Query(
                    f"sum by (deployment) (ray_serve_deployment_queued_queries{{{APPLICATION}}})",
                    "{{deployment}}",
                )
            ],
            "short",
        ),
    ]


def machines() -> list[Panel]:
    """The nodes under it all."""
    node = 'job="scriptorium"'
    memory = f"ray_node_mem_used{{{node}}} / ray_node_mem_total{{{node}}}"
    gpu_memory = "ray_node_gram_used / (ray_node_gram_used + ray_node_gram_available)"
    loop = "rate(ray_serve_event_loop_scheduling_latency_ms_bucket[$__rate_interval])"
    return [
        timeseries(
            "Processors, %", [Query(f"ray_node_cpu_utilization{{{node}}}", "{{instance}}")], "percent"
        ),
        timeseries("Memory", [Query(memory, "{{instance}}")], "percentunit"),
        timeseries(
            "GPU at work, %", [Query("ray_node_gpus_utilization", "{{instance}} {{GpuIndex}}")], "percent"
        ),
        timeseries("GPU memory", [Query(gpu_memory, "{{instance}} {{GpuIndex}}")], "percentunit"),
        timeseries(
            "Disk, %", [Query(f"ray_node_disk_utilization_percentage{{{node}}}", "{{instance}}")], "percent"
        ),
        timeseries(
            "Event loops: wait for a turn, p99",
            [Query(f"histogram_quantile(0.99, sum by (le, deployment) ({loop}))", "{{deployment}}")],
            "ms",
        ),
    ]
