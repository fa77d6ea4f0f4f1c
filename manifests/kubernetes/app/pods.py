import click
import kubernetes


@click.command()
@click.option("--namespace", default="default", show_default=True)
@click.option("--seconds", default=60, show_default=True, help="How long to watch.")
def pods(namespace, seconds):
    """Says what becomes of the pods of a namespace, with the service account of the pod that it runs in."""
    kubernetes.config.load_incluster_config()
    api = kubernetes.client.CoreV1Api()
    try:
        for event in kubernetes.watch.Watch().stream(api.list_namespaced_pod, namespace, timeout_seconds=seconds):
            pod = event["object"]
            click.echo(f"{event['type'].lower():9}{pod.metadata.name}  {pod.status.phase}")
    except kubernetes.client.ApiException as error:
        raise click.ClickException(f"the API server says {error.status} {error.reason}") from error


pods()
