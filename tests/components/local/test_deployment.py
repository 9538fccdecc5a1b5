from components.local.deployment import Deployment, deployments


def test_a_deployment_is_a_folder_with_a_configuration(tmp_path):
    for name in ("two", "one"):
        (tmp_path / name).mkdir()
        Deployment(tmp_path / name).config.write_text("")
    (tmp_path / "three").mkdir()
    (tmp_path / "phoenix.yaml").write_text("")  # of no folder below the root
    assert deployments(tmp_path) == [Deployment(tmp_path / "one"), Deployment(tmp_path / "two")]
    assert deployments(tmp_path / "nowhere") == []


def test_all_of_an_airflow_is_below_its_home(tmp_path):
    deployment = Deployment(tmp_path)
    for path in (deployment.passwords, deployment.state_file):
        assert path.parent == deployment.home
    assert deployment.config.parent == tmp_path
