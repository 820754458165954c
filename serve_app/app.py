"""The composition root: the one place that binds the graph. ``import_path`` of serve_config.yaml.

OcrIngress ──> Detection
           ├─> Classification
           └─> Recognition<Engine>      one deployment per recognition engine in use
"""

# No postponed annotations here: Serve validates ``args`` by the class that ``build`` is annotated with.
from ray.serve import Application

from deployments.classification.config import ClassificationArgs, ClassificationTuning
from deployments.classification.deployment import Classification
from deployments.detection.config import DetectionArgs, DetectionTuning
from deployments.detection.deployment import Detection
from deployments.recognition.config import RecognitionArgs, RecognitionTuning
from deployments.recognition.deployment import Recognition
from deployments.settings import StageTuning
from serve_app.config import AppConfig, recognition_name
from serve_app.ingress import OcrIngress

INGRESS: str = OcrIngress.name


def build(args: AppConfig) -> Application:
    """Bind the graph. Called by Serve with the ``args`` of the application, validated."""
    recognition = {
        engine: Recognition.options(name=recognition_name(engine)).bind(engine_args)
        for engine, engine_args in args.recognition.in_use.items()
    }
    return OcrIngress.bind(
        args, Detection.bind(args.detection), Classification.bind(args.classification), recognition
    )


def stage_args(config: AppConfig) -> dict[str, DetectionArgs | ClassificationArgs | RecognitionArgs]:
    """What each stage's deployment is bound with."""
    recognition = {recognition_name(name): args for name, args in config.recognition.in_use.items()}
    return {Detection.name: config.detection, Classification.name: config.classification, **recognition}


def deployment_names(config: AppConfig) -> dict[str, type[StageTuning] | None]:
    """The deployments that ``build`` binds, each with the model of its ``user_config``, if any."""
    return {
        INGRESS: None,
        Detection.name: DetectionTuning,
        Classification.name: ClassificationTuning,
    } | {recognition_name(engine): RecognitionTuning for engine in config.recognition.in_use}
