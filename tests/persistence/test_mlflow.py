"""A pipeline logged with MLflow, in the format of skops. Needs the extra "mlflow", which has many dependencies."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdeep
from skdeep import DeepClassifier


@pytest.mark.campaign
@pytest.mark.filterwarnings("ignore")  # those of MLflow
def test_a_logged_pipeline_predicts_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    import mlflow.sklearn

    X = np.random.default_rng(0).normal(size=(40, 4))
    y = np.where(X[:, 0] > 0, "yes", "no")
    pipeline = make_pipeline(StandardScaler(), DeepClassifier(max_epochs=2, tol=None, random_state=0)).fit(X, y)
    mlflow.set_tracking_uri(tmp_path.as_uri())
    mlflow.set_experiment("saving")
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            pipeline, name="model", serialization_format="skops", skops_trusted_types=skdeep.trusted_types()
        )
    again = mlflow.sklearn.load_model(logged.model_uri)
    np.testing.assert_array_equal(again.predict_proba(X), pipeline.predict_proba(X))
