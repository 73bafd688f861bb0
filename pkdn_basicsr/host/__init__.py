"""Everything this package must know about BasicSR 1.4.2; nothing outside this room mentions a BasicSR bug."""

from pkdn_basicsr.host.torchvision_compat import import_torchvision, provide_functional_tensor


def install() -> None:
    """Make `import basicsr` work, then mend what is broken in it. Called once, by `import pkdn_basicsr`."""
    import_torchvision()
    provide_functional_tensor()

    # these import basicsr, which only now can be imported
    from pkdn_basicsr.host.checkpoint.archive import archive_under_a_free_name
    from pkdn_basicsr.host.checkpoint.loading import say_which_weights_do_not_fit
    from pkdn_basicsr.host.checkpoint.random_states import validate_without_drawing
    from pkdn_basicsr.host.checkpoint.resume import go_on_exactly, resume_anywhere
    from pkdn_basicsr.host.checkpoint.saving import save_whole_or_stop
    from pkdn_basicsr.host.distributed import start_processes_without_gpu, wrap_networks_for_rank_zero_validation
    from pkdn_basicsr.host.ema import copy_buffers_into_average
    from pkdn_basicsr.host.epochs import train_to_the_last_iteration, validate_at_the_last_iteration
    from pkdn_basicsr.host.failure.bad_files import stop_at_bad_files_or_skip_them
    from pkdn_basicsr.host.failure.disk import name_places_that_cannot_be_used
    from pkdn_basicsr.host.failure.finite import stop_at_values_that_are_not_finite
    from pkdn_basicsr.host.failure.lost_workers import keep_abandoned_workers_quiet
    from pkdn_basicsr.host.failure.metric_errors import name_metric_and_picture
    from pkdn_basicsr.host.failure.prefetching import pass_on_errors_of_prefetching
    from pkdn_basicsr.host.interruption import heed_signals
    from pkdn_basicsr.host.optimizers import offer_every_torch_optimizer
    from pkdn_basicsr.host.options import extend_parse_options
    from pkdn_basicsr.host.run import remember_run
    from pkdn_basicsr.host.safe_yaml import use_safe_yaml
    from pkdn_basicsr.host.sampler import shuffle_by_seed
    from pkdn_basicsr.host.tensorboard import go_on_with_curves

    start_processes_without_gpu()
    wrap_networks_for_rank_zero_validation()
    offer_every_torch_optimizer()
    copy_buffers_into_average()
    train_to_the_last_iteration()
    validate_at_the_last_iteration()
    archive_under_a_free_name()
    remember_run()
    stop_at_bad_files_or_skip_them()
    pass_on_errors_of_prefetching()
    keep_abandoned_workers_quiet()
    save_whole_or_stop()
    stop_at_values_that_are_not_finite()
    name_metric_and_picture()
    validate_without_drawing()
    resume_anywhere()
    go_on_exactly()
    go_on_with_curves()
    heed_signals()
    say_which_weights_do_not_fit()
    shuffle_by_seed()
    use_safe_yaml()
    extend_parse_options()
    name_places_that_cannot_be_used()
